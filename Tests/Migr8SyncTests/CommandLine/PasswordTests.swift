// Where passwords come from, and which place counts.

import ReplicaLink
import Testing

@testable import Migr8Sync

@Suite struct PasswordTests {
  private let environment = [
    "MIGR8SYNC_SOURCE_PASSWORD": "from-env", "MIGR8SYNC_DEST_PASSWORD": "dest-env",
  ]

  @Test func theEnvironmentFillsInWhatTheURLLeavesOut() throws {
    let options = try options(
      ["-s", "redis://alice@old", "-d", "redis://new"], environment: environment)
    #expect(options.source.credentials?.user == "alice")
    #expect(options.source.credentials?.password == "from-env")
    #expect(options.destination.credentials?.user == nil)
    #expect(options.destination.credentials?.password == "dest-env")
  }

  @Test func aPasswordInTheURLCountsBeforeTheEnvironment() throws {
    let options = try options(
      ["-s", "redis://:mine@old", "-d", "redis://new"], environment: environment)
    #expect(options.source.credentials?.password == "mine")
  }

  @Test func sentinelsHaveAPasswordOfTheirOwn() throws {
    var variables = environment
    variables["MIGR8SYNC_SOURCE_SENTINEL_PASSWORD"] = "watch-env"
    variables["MIGR8SYNC_DEST_SENTINEL_PASSWORD"] = "not used"
    let options = try options(
      [
        "-s", "redis+sentinel://old/main?sentinel-user=watch",
        "-d", "redis+sentinel://new/main?sentinel-password=mine",
      ], environment: variables)
    #expect(options.source.credentials?.password == "from-env")
    #expect(options.source.sentinelCredentials?.user == "watch")
    #expect(options.source.sentinelCredentials?.password == "watch-env")
    #expect(options.destination.sentinelCredentials?.password == "mine")
    let plain = try Migr8SyncTests.options(ends, environment: variables)
    #expect(plain.source.sentinelCredentials == nil)
  }

  @Test func anEmptyVariableIsNone() throws {
    let options = try options(ends, environment: ["MIGR8SYNC_SOURCE_PASSWORD": ""])
    #expect(options.source.credentials == nil)
  }

  @Test(arguments: [
    ("secret", "secret"), ("secret\n", "secret"), ("secret\r\nmore\n", "secret"),
    (" a b ", " a b "), ("pä:ß@/\n", "pä:ß@/"),
  ])
  func theFirstLineOfTheFileIsThePassword(content: String, password: String) throws {
    try withFile(Array(content.utf8)) { path in
      let options = try options(
        ends + ["--source-password-file", path, "--dest-password-file=\(path)"],
        environment: environment)
      #expect(options.source.credentials?.password == password)
      #expect(options.destination.credentials?.password == password)
    }
  }

  @Test(arguments: [
    ([], "does not hold a password"), (Array("\nsecret\n".utf8), "does not hold a password"),
    ([0xFF, 0xFE], "does not hold a password"),
    ([UInt8](repeating: 0x61, count: 4097), "is longer than 4096 bytes"),
  ])
  func aFileWithoutAPasswordIsRefused(content: [UInt8], expected: String) throws {
    try withFile(content) { path in
      let message = try refusal(ends + ["--source-password-file", path])
      #expect(message.contains("the file of --source-password-file \(expected)"), "\(message)")
      #expect(!message.contains(path))
    }
  }

  @Test func aFileThatCannotBeReadIsRefusedWithTheReason() throws {
    let missing = try refusal(ends + ["--dest-password-file", "/nonexistent/file"])
    #expect(missing.contains("--dest-password-file cannot be read: No such file or directory"))
    let directory = try refusal(ends + ["--dest-password-file", "/"])
    #expect(directory.contains("cannot be read: Is a directory"))
  }

  @Test func aPasswordInTheURLAndAFileContradict() throws {
    try withFile(Array("x".utf8)) { path in
      let words = ["-s", "redis://:y@old", "-d", "redis://new", "--source-password-file", path]
      let message = try refusal(words)
      #expect(message.contains("leave one of them out"))
    }
  }
}
