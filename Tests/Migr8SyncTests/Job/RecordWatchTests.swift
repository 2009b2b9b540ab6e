// What a run makes of its job's record, as a server tells it: its own doing, another run's, or that of a server
// which has lost it.

import ReplicaLink
import Testing

@testable import Migr8Sync

@Suite("What a run knows of its job's record")
struct RecordWatchTests {
  private let identity = JobIdentity(name: "drill", rules: "", database: 0)
  private static let history = String(repeating: "a", count: 40)
  private static let other = String(repeating: "b", count: 40)
  private static let none = String(repeating: "0", count: 40)

  /// What a server says of itself and of the record.
  private struct Answers: Sendable {
    var run: String? = "run1"
    var history = RecordWatchTests.history
    var former = RecordWatchTests.none
    var phase: String? = "stream"
    var origin: String? = "x:1"
    var offset = 10
  }

  private static func bulk(_ text: String?) -> String {
    text.map { "$\($0.utf8.count)\r\n\($0)\r\n" } ?? "$-1\r\n"
  }

  /// Begins at one server, and does something at what that says later.
  private func after(
    _ change: @escaping @Sendable (inout Answers) -> Void,
    meanwhile: (RecordWatch) -> Void = { _ in }, connectionsSurvive: Bool = false,
    _ body: (RecordWatch, inout RedisConnection) throws -> Void
  ) throws {
    let hasBegun = Guarded(false)
    let server = try ScriptedServer { words in
      var answers = Answers()
      if hasBegun.withLock({ $0 }) { change(&answers) }
      switch words.prefix(2) {
      case ["INFO", "server"]:
        guard let run = answers.run else { return "-NOPERM no\r\n" }
        return Self.bulk("run_id:\(run)\r\n")
      case ["INFO", "replication"]:
        return Self.bulk("master_replid:\(answers.history)\r\nmaster_replid2:\(answers.former)\r\n")
      case let words where words.first == "HMGET":
        return "*2\r\n" + Self.bulk(answers.phase) + Self.bulk(answers.origin)
      case let words where words.first == "HGET": return Self.bulk("\(answers.offset)")
      default: return "-ERR what?\r\n"
      }
    }
    do {
      var connection = try RedisConnection.open(try RedisURL(server.url), timeouts: Timeouts())
      let watch = RecordWatch(identity)
      try watch.begin(&connection, connectionsSurvive: connectionsSurvive)
      meanwhile(watch)
      hasBegun.withLock { $0 = true }
      try body(watch, &connection)
    }
    withExtendedLifetime(server) {}
  }

  private static func failure(_ body: () throws(ReplayError) -> Void) -> ReplayError? {
    do throws(ReplayError) {
      try body()
      return nil
    } catch {
      return error
    }
  }

  private func expectStop(
    _ words: String, _ change: @escaping @Sendable (inout Answers) -> Void,
    meanwhile: (RecordWatch) -> Void = { _ in }
  ) throws {
    try after(change, meanwhile: meanwhile) { watch, connection in
      let error = Self.failure { () throws(ReplayError) in _ = try watch.confirm(&connection) }
      #expect(error?.kind == .failure && error?.description.contains(words) ?? false)
    }
  }

  private func expect(
    _ finding: RecordWatch.Finding, mark: String?,
    _ change: @escaping @Sendable (inout Answers) -> Void,
    meanwhile: (RecordWatch) -> Void = { _ in }
  ) throws {
    try after(change, meanwhile: meanwhile) { watch, connection in
      // What was taken up is what is known from then on.
      let found = try (watch.confirm(&connection), watch.confirm(&connection))
      #expect(found == (finding, .same) && watch.mark?.phase == mark)
    }
  }

  @Test func asItWas() throws {
    try expect(.same, mark: "stream", { $0.offset = 99 })
  }

  @Test func anotherRun() throws {
    try expectStop("another run has worked on job drill", { $0.phase = "snapshot" })
    try expectStop("another run has worked on job drill", { $0.origin = "x:2" })
    try expectStop("another run has worked on job drill", { $0.origin = nil })
  }

  @Test func theJobIsOver() throws {
    try expectStop("job drill is not known at", { ($0.phase, $0.origin) = (nil, nil) })
  }

  /// A first replica, and a backlog that was given up, begin a new history; a promotion does, too, and says so.
  @Test func theSameLifeWithANewHistory() throws {
    try expectStop(
      "job drill is not known at",
      {
        ($0.phase, $0.origin) = (nil, nil)
        $0.history = Self.other
      })
    try expect(
      .atAnotherServer, mark: nil,
      {
        ($0.phase, $0.origin) = (nil, nil)
        ($0.history, $0.former) = (Self.other, Self.history)
      })
  }

  @Test func aServerThatHasRestarted() throws {
    try expect(
      .atAnotherServer, mark: nil,
      {
        ($0.phase, $0.origin) = (nil, nil)
        $0.run = "run2"
      })
    try expect(
      .atAnotherServer, mark: "snapshot",
      {
        $0.phase = "snapshot"
        $0.run = "run2"
      })
  }

  /// What was being written may be there, or not.
  @Test func aReplyThatDidNotCome() throws {
    let writing = { (watch: RecordWatch) in watch.willWrite(watch.mark?.with(.snapshot)) }
    try expect(.same, mark: "snapshot", { $0.phase = "snapshot" }, meanwhile: writing)
    try expect(.same, mark: "stream", { _ in }, meanwhile: writing)
    try expectStop("another run", { $0.phase = "reversed" }, meanwhile: writing)
    try expectStop(
      "is not known at", { ($0.phase, $0.origin) = (nil, nil) }, meanwhile: writing)
  }

  /// A user who may not ask who the server is.
  @Test func aServerThatDoesNotSayWhoItIs() throws {
    try after({ $0.run = nil }) { watch, connection in
      // Nobody can tell whether it has lost something.
      let found = try (watch.confirm(&connection), watch.confirm(&connection))
      #expect(found == (.atAnotherServer, .atAnotherServer))
    }
  }

  @Test(arguments: [false, true])
  func whoLooksBesideIt(connectionsSurvive: Bool) throws {
    let unmoved: [@Sendable (inout Answers) -> Void] = [
      { _ in }, { $0.phase = nil }, { ($0.origin, $0.run) = ("x:2", "run2") },
      { ($0.origin, $0.run) = ("x:2", nil) },
    ]
    for change in unmoved {
      try after(change) { watch, connection in
        let error = try watch.look(&connection)
        #expect(error == nil)
      }
    }
    try after({ $0.origin = "x:2" }, connectionsSurvive: connectionsSurvive) { watch, connection in
      let text = try watch.look(&connection)?.description ?? ""
      #expect(text.contains("another run has worked on job drill"))
      #expect(text.contains("verify --fix") == connectionsSurvive, "\(text)")
    }
  }

  @Test func theEnd() throws {
    try after({ $0.offset = 10 }, meanwhile: { $0.end(at: 10) }) { watch, connection in
      try watch.confirmEnd(&connection)
    }
    try after({ $0.offset = 11 }, meanwhile: { $0.end(at: 10) }) { watch, connection in
      let error = Self.failure { () throws(ReplayError) in try watch.confirmEnd(&connection) }
      #expect(error?.description.contains("another run") ?? false)
    }
  }
}
