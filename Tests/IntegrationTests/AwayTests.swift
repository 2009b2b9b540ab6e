// A run that was asleep, or cut off, in its snapshot while another run worked on its job and left: when it
// wakes nobody is there, and what is at the destination is not its own any more.

import Glibc
import ReplicaLink
import Synchronization
import Testing

@Suite("A run that was away", .ownThread)
struct AwayTests {
  private static let keyCount = 6_000

  private func arguments(
    _ source: TestServer, _ destination: TestServer, policy: String = "replace"
  ) -> [String] {
    [
      "sync", "-s", source.url, "-d", destination.url, "-p", "bump:", "--job", "one",
      "--on-conflict", policy,
    ]
  }

  private func filled() throws -> TestServer {
    let source = try TestServer()
    _ = try source.client().pipeline((0..<Self.keyCount).map { ["SET", "bump:\($0)", "old"] })
    return source
  }

  /// A run that is stopped while its loaders write.
  private func sleeper(
    _ source: TestServer, _ destination: TestServer, policy: String = "replace"
  ) throws -> Subprocess {
    let tool = try Tool.start(
      arguments(source, destination, policy: policy) + ["--max-rate", "1000"])
    let client = try destination.client()
    try awaitCondition("some keys", seconds: Tool.deadlineSeconds) {
      guard tool.isRunning else { throw TestFailure("it ended: \(try Tool.finish(tool))") }
      return try client("DBSIZE").number ?? 0 > 300
    }
    tool.send(signal: SIGSTOP)
    return tool
  }

  /// Wakes it, and makes sure that it ends and has written nothing.
  private func wake(
    _ tool: Subprocess, _ destination: TestServer,
    saying reason: String = "another run has worked on job one"
  ) throws {
    let before = try Keyspace(of: destination)
    // As if it had run out: nobody waits for a lease of ten seconds here.
    try destination.client()("DEL", "migr8sync:job:one:runner")
    tool.send(signal: SIGCONT)
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 1, "\(result)")
    #expect(result.standardError.contains(reason), "\(result)")
    let after = try Keyspace(of: destination).filter { !$0.description.contains("migr8sync:job:") }
    #expect(
      after.differences(from: before.filter { !$0.description.contains("migr8sync:job:") }) == [])
  }

  /// The other one has copied everything, has followed for a while, and was killed.
  @Test func theOtherHasGoneOn() throws {
    let (source, destination) = (try filled(), try TestServer())
    let client = try source.client()
    let first = try sleeper(source, destination)
    let second = try Tool.start(arguments(source, destination) + ["--takeover"])
    let other = try destination.client()
    try awaitCondition("the snapshot", seconds: Tool.deadlineSeconds) {
      guard second.isRunning else { throw TestFailure("it ended: \(try Tool.finish(second))") }
      return try other("HGET", "migr8sync:job:one", "phase").text == "stream"
    }
    for number in 0..<50 {
      try client("INCR", "bump:counter")
      try client("APPEND", "bump:\(number)", "er")
      try client("SET", "bump:new:\(number)", number)
    }
    try awaitCondition("the stream", seconds: Tool.deadlineSeconds) {
      try other("EXISTS", "bump:new:49").number == 1
    }
    second.kill()
    try wake(first, destination)
    let third = try Tool.run(arguments(source, destination) + ["--once"])
    #expect(third.exitCode == 0, "\(third)")
    #expect(try destination.digest() == source.digest())
  }

  private func write(_ application: TestClient) throws {
    for number in 0..<Self.keyCount where number.isMultiple(of: 10) {
      try application("SET", "bump:\(number)", "the application's")
    }
    try application("SET", "bump:new", "the application's")
  }

  /// The other one has ended the job, and the application writes to the destination, which perhaps has got its
  /// first replica: with that a server begins a new history.
  @Test(arguments: [false, true])
  func theJobIsOver(isReplicated: Bool) throws {
    let (source, destination) = (try filled(), try TestServer())
    let first = try sleeper(source, destination)
    let second = try Tool.run(arguments(source, destination) + ["--takeover", "--once"])
    #expect(second.exitCode == 0, "\(second)")
    try write(try destination.client())
    let replica = isReplicated ? try NativeReplica(of: destination) : nil
    try wake(first, destination)
    withExtendedLifetime(replica) {}
  }

  /// And the server has restarted and holds nothing but what the application has written since.
  @Test func theServerHasRestartedSince() throws {
    let (source, destination) = (try filled(), try TestServer())
    let first = try sleeper(source, destination, policy: "fail")
    let second = try Tool.run(
      arguments(source, destination, policy: "fail") + ["--takeover", "--once"])
    #expect(second.exitCode == 0, "\(second)")
    try destination.restart()
    let application = try destination.client()
    try write(application)
    first.send(signal: SIGCONT)
    let result = try Tool.finish(first)
    #expect(result.exitCode == 1, "\(result)")
    #expect(result.standardError.contains("has appeared at the destination"), "\(result)")
    for number in stride(from: 0, to: Self.keyCount, by: 10) {
      #expect(try application("GET", "bump:\(number)").text == "the application's")
    }
    #expect(try application("GET", "bump:new").text == "the application's")
  }

  /// A run that sleeps before it has looked at the destination for the first time: while it attaches.
  @Test func beforeTheFirstLook() throws {
    let (source, destination) = (try filled(), try TestServer())
    let before = try Tool.start(arguments(source, destination))
    try source.awaitToolFollowing(before)
    before.kill()
    let sleeper = Guarded<Subprocess?>(nil)
    let hasSlept = Atomic<Bool>(false)
    let port = destination.port
    let proxy = try InterjectingProxy(
      to: source,
      [
        "PSYNC": {
          // As soon as the test has it in hand, and it has its job: a check asks for the right, too.
          while sleeper.withLock({ $0 == nil }) { usleep(1_000) }
          let holder = try TestClient(port: port)("GET", "migr8sync:job:one:runner").text
          guard let tool = sleeper.withLock({ $0 }), holder.contains(":\(tool.processIdentifier):"),
            !hasSlept.exchange(true, ordering: .relaxed)
          else { return }
          tool.send(signal: SIGSTOP)
        }
      ])
    defer { proxy.stop() }
    let words = arguments(source, destination).map { $0 == source.url ? proxy.url : $0 }
    let first = try Tool.start(words)
    sleeper.withLock { $0 = first }
    try awaitCondition("it to sleep", seconds: Tool.deadlineSeconds) {
      try first.isStopped()
    }
    let second = try Tool.run(arguments(source, destination) + ["--takeover", "--once"])
    #expect(second.exitCode == 0, "\(second)")
    try write(try destination.client())
    try wake(first, destination, saying: "job one is not known at")
  }

  /// Where connections cannot be ended they survive the takeover: the run ends as soon as it sees the record.
  @Test func connectionsThatNobodyCanEnd() throws {
    let (source, destination) = (try filled(), try TestServer())
    let other = try destination.client()
    try other("ACL", "SETUSER", "default", "-client|kill")
    let first = try sleeper(source, destination)
    try other("DEL", "migr8sync:job:one:runner")
    let second = try Tool.start(arguments(source, destination) + ["--takeover"])
    try awaitCondition("the snapshot", seconds: Tool.deadlineSeconds) {
      guard second.isRunning else { throw TestFailure("it ended: \(try Tool.finish(second))") }
      return try other("HGET", "migr8sync:job:one", "phase").text == "stream"
    }
    second.kill()
    try other("DEL", "migr8sync:job:one:runner")
    first.send(signal: SIGCONT)
    let result = try Tool.finish(first)
    #expect(result.exitCode == 1, "\(result)")
    #expect(result.standardError.contains("another run has worked on job one"), "\(result)")
    #expect(result.standardError.contains("verify --fix"), "\(result)")
    #expect(try other("HGET", "migr8sync:job:one", "phase").text == "stream")
  }

  /// Before anything was sent a lost connection costs a connection, and no second snapshot.
  @Test func aLoaderThatCannotBeginTriesAgain() throws {
    let (source, destination) = (try filled(), try TestServer())
    let (left, port) = (Guarded(6), destination.port)
    let proxy = try InterjectingProxy(
      to: destination,
      [
        "HMGET": {
          let client = try TestClient(port: port)
          guard try client("HGET", "migr8sync:job:one", "phase").text == "snapshot" else { return }
          let isDue = left.withLock { left in
            left -= 1
            return left >= 0
          }
          if isDue { try client("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes") }
        }
      ])
    defer { proxy.stop() }
    let result = try Tool.run([
      "sync", "--once", "-s", source.url, "-d", proxy.url, "-p", "bump:", "--job", "one",
    ])
    #expect(result.exitCode == 0, "\(result)")
    #expect(left.withLock { $0 } <= 0)
    #expect(try source.resynchronisations()[0] == "1", "\(result)")
    #expect(try destination.digest() == source.digest())
  }

  /// Connections without a name say nothing of who is there.
  @Test func aRunWhoseConnectionsHaveNoName() throws {
    let (source, destination) = (try filled(), try TestServer())
    try destination.client()(
      "ACL", "SETUSER", "me", "on", ">pw", "~*", "&*", "+@all", "-client|setname")
    let ends = ["-s", source.url, "-d", "redis://me:pw@127.0.0.1:\(destination.port)"]
    let words = ends + ["-p", "bump:", "--job", "one"]
    let checked = try Tool.run(["check"] + ends)
    #expect(checked.standardOutput.contains("client|setname"), "\(checked)")
    let first = try Tool.start(["sync"] + words)
    try source.awaitToolFollowing(first)
    try first.awaitError("+client|setname")
    let again = try Tool.run(["sync", "-q"] + words)
    expectLine(again, code: 4, saying: ["job one", "\(first.processIdentifier)", "--takeover"])
    let jobs = try Tool.run(["jobs", "-d", destination.url, "--forget", "one", "--yes"])
    #expect(jobs.exitCode == 4, "\(jobs)")
    #expect(first.isRunning)
    for _ in 0..<100 { try source.client()("INCR", "bump:counter") }
    try source.awaitToolInSync(first)
    first.send(signal: SIGINT)
    #expect(try Tool.finish(first).exitCode == 5)
    try expectEqual(destination, to: source, prefixes: ["bump:"])
  }
}
