// What the job's record says of keys under repair, while the source cannot be asked: a master that a test plays
// by hand, and a real destination.

import Glibc
import ReplicaLink
import Testing

@Suite("Keys under repair that the source does not tell of", .ownThread)
struct UnderRepairTests {
  /// A running mirror with key `k` of db 0 under repair: the destination has refused a command on it.
  private struct Scene {
    let master: RecordedMaster
    let destination: TestServer
    let client: TestClient
    let tool: Subprocess
    let runtime: ControlRuntime
    /// Where the command lies that was refused.
    let refused: Range<Int>

    init() throws {
      (master, destination) = (try RecordedMaster(), try TestServer())
      runtime = try ControlRuntime()
      client = try destination.client()
      tool = try Tool.start(
        ["sync", "-s", master.url, "-d", destination.url, "--job", "j"],
        environment: runtime.environment)
      let (master, client) = (master, client)
      try awaitCondition("the tool to attach") { master.isAttached }
      let start = try master.say(["SELECT", "0"], ["SET", "k", "abc"])
      refused = start..<(try master.say(["INCR", "k"]))
      try awaitCondition("the key to be under repair") {
        try client("SISMEMBER", "migr8sync:job:j:repairs", "0:k").number == 1
      }
    }

    func awaitValue(_ value: String, of key: String) throws {
      try awaitCondition("\(key) to be \(value)") { try client("GET", key).text == value }
    }

    func end() throws {
      tool.send(signal: SIGKILL)
      _ = try Tool.finish(tool)
      withExtendedLifetime(master) {}
    }
  }

  private func underRepair(_ client: TestClient) throws -> Set<String> {
    Set(try client("SMEMBERS", "migr8sync:job:j:repairs").elements.map(\.text))
  }

  @Test func aFlushDoesNotTakeTheirNamesAlong() throws {
    let scene = try Scene()
    _ = try scene.master.say(["FLUSHALL"], ["SET", "other", "1"])
    try scene.awaitValue("1", of: "other")
    #expect(try underRepair(scene.client) == ["0:k"])
    try scene.end()
  }

  @Test func anExchangeOfDbsDoesNotTakeTheirNamesAlong() throws {
    let scene = try Scene()
    _ = try scene.master.say(["SWAPDB", "2", "0"], ["SET", "other", "1"])
    try scene.awaitValue("1", of: "other")
    #expect(try underRepair(scene.client) == ["0:k", "2:k"])
    try scene.end()
  }

  /// Confirmed means that they are in the record, not that they are at the destination.
  @Test func aNewSessionAcknowledgesNothingBehindThem() throws {
    let scene = try Scene()
    var end = try scene.master.say(["SET", "other", "1"])
    try scene.awaitValue("1", of: "other")
    let record = "migr8sync:job:j"
    try awaitCondition("all of it to be confirmed") {
      try scene.client("HGET", record, "confirmed").text == "\(end)"
    }
    try scene.client("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    end = try scene.master.say(["SET", "other", "2"])
    try scene.awaitValue("2", of: "other")
    let count = scene.master.acknowledged.count
    try awaitCondition("two more acknowledgements") { scene.master.acknowledged.count > count + 1 }
    #expect((scene.master.acknowledged.max() ?? 0) <= scene.refused.lowerBound)
    try scene.end()
  }

  /// A record that says of no key that it is under repair, and goes on to say that the data are of use, would
  /// be believed.
  @Test func aSnapshotIsRecordedBeforeTheyAreForgotten() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let client = try destination.client()
    try client("CONFIG", "SET", "slowlog-log-slower-than", 0, "slowlog-max-len", 10_000)
    let result = try Tool.run(
      ["sync", "-s", source.url, "-d", destination.url, "--job", "j", "--once"])
    #expect(result.exitCode == 0, "\(result)")
    let commands = try client("SLOWLOG", "GET", 10_000).elements.reversed().map { entry in
      entry.elements[3].elements.map(\.text).joined(separator: " ")
    }
    let recorded = commands.firstIndex { $0.hasPrefix("HSET migr8sync:job:j phase snapshot") }
    let forgotten = commands.firstIndex { $0 == "DEL migr8sync:job:j:repairs" }
    #expect(try #require(recorded) < #require(forgotten), "\(commands)")
  }

  /// A cutover is refused for what is in the way of a run, so that it must not be said longer than it is.
  @Test func whatWasInTheWayOfAnAnswerPasses() throws {
    let scene = try Scene()
    let answers = Guarded<[Int?]>([])
    let questions = Guarded(0)
    scene.master.answer.withLock {
      $0 = {
        questions.withLock { $0 += 1 }
        // No answer before the test has said which.
        while true {
          let next = answers.withLock { $0.isEmpty ? nil : [$0.removeFirst()] }
          if let next { return next[0] }
          usleep(1_000)
        }
      }
    }
    try awaitCondition("the first question") { questions.withLock { $0 } == 1 }
    let end = try scene.master.say(["SET", "k", "5"], ["SET", "other", "1"])
    try scene.awaitValue("1", of: "other")
    // The answer was on its way for too long: the lane waits for the next one, whose connection is lost.
    answers.withLock { $0 = [scene.refused.upperBound, nil] }
    let warning = "\"warning\":\"waiting for a reply of"
    try awaitCondition("the run to wait", seconds: Tool.deadlineSeconds) {
      try scene.runtime.status().contains(warning)
    }
    answers.withLock { $0 = [end] }
    _ = try scene.master.say(["SET", "other", "2"])
    try scene.awaitValue("2", of: "other")
    #expect(try !scene.runtime.status().contains(warning))
    #expect(questions.withLock { $0 } == 3)
    #expect(try scene.client("EXISTS", "k").number == 0)
    try scene.end()
  }
}
