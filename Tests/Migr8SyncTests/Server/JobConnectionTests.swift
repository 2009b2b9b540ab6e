// The names of connections: what a run calls its own is what the next one and `jobs` read.

import Testing

@testable import Migr8Sync

@Suite struct JobConnectionTests {
  @Test(arguments: [true, false])
  func whatIsWrittenIsRead(isLease: Bool) throws {
    let name = JobConnection.name(
      job: "split.1", database: 3, runner: "host:4711:9a3f", isLease: isLease)
    let line = "id=12 addr=127.0.0.1:5 laddr=127.0.0.1:6 fd=8 name=\(name) age=1 db=0"
    let connection = try #require(JobConnection(line: line[...]))
    #expect(connection.id == "12" && connection.job == "split.1" && connection.database == 3)
    #expect(connection.runner == "host:4711:9a3f" && connection.isLease == isLease)
  }

  @Test(arguments: [
    "", "id=1 name= age=2", "id=1 name=web", "name=migr8sync:a:0:b:1:2", "id=1 name=migr8sync:a",
    "id=1 name=migr8sync:a:b:1:2",
    "id=1 name=migr8sync:", "id=1 name=migr8sync:$(x):0:host:1:2",
  ])
  func othersAreNone(line: String) {
    #expect(JobConnection(line: line[...]) == nil)
  }
}
