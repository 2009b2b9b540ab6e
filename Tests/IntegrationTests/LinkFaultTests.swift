// The link to the source, cut in every phase, silent, half open, slow and narrow; and a source that
// comes back. Both sides end equal, with as few snapshots as the fault forces.

import Glibc
import Testing

@Suite("A link that fails", .ownThread)
struct LinkFaultTests {
  /// Where the link is cut, once.
  enum Phase: String, CaseIterable, CustomTestStringConvertible {
    case waiting, snapshot, command, transaction

    var testDescription: String { rawValue }

    /// What the source sends shortly before the cut.
    var fault: FaultyProxy.Fault {
      switch self {
      case .waiting: .cutOnce(behind: Array("+FULLRESYNC".utf8), bytes: 60)
      case .snapshot: .cutOnce(behind: Array("REDIS00".utf8), bytes: 3000)
      case .command: .cutOnce(behind: Array("$4\r\nINCR\r\n".utf8), bytes: 3)
      case .transaction: .cutOnce(behind: Array("$5\r\nMULTI\r\n".utf8), bytes: 40)
      }
    }

    /// A snapshot that does not come whole has to come again.
    var extraFulls: Int { self == .waiting || self == .snapshot ? 1 : 0 }
  }

  /// A source behind a proxy, with data, a native replica and an application that writes.
  private struct Scene {
    let source: TestServer
    let destination: TestServer
    let native: NativeReplica
    let application: Application
    let proxy: FaultyProxy
    let tool: Subprocess

    init(
      _ options: [String] = [], source sourceOptions: [String] = [],
      proxy make: (TestServer)
        throws -> FaultyProxy
    ) throws {
      source = try TestServer(.redis70, ["--repl-backlog-size", "64mb"] + sourceOptions)
      destination = try TestServer()
      try SampleData.fill(source)
      native = try NativeReplica(of: source)
      application = try Application(to: source, seed: .random(in: 1...1_000_000), brief: false)
      proxy = try make(source)
      tool = try Tool.start(
        ["sync", "-s", proxy.url, "-d", destination.url, "-p", "bump:"] + options)
      try source.awaitToolFollowing(tool, besides: [native.server.port])
    }

    func conclude(fulls: Int) throws {
      try native.conclude(application, tool, destination, fulls: fulls)
      proxy.stop()
    }
  }

  @Test(arguments: Phase.allCases)
  func isCutOnce(phase: Phase) throws {
    let scene = try Scene { try FaultyProxy(to: $0, phase.fault) }
    try awaitCondition("the cut") { scene.proxy.struck }
    try scene.application.awaitCommands(500)
    try scene.conclude(fulls: 2 + phase.extraFulls)
  }

  /// Nothing comes, and nothing says that nothing will.
  @Test func fallsSilent() throws {
    let scene = try Scene(["--io-timeout", "2s"]) { try FaultyProxy(to: $0) }
    try scene.application.awaitCommands(500)
    scene.proxy.isHole.store(true, ordering: .releasing)
    try awaitCondition("the run to give the link up") {
      scene.tool.standardError.contains("said nothing for 2000 ms")
    }
    try scene.application.awaitCommands(500)
    scene.proxy.isHole.store(false, ordering: .releasing)
    try scene.conclude(fulls: 2)
  }

  /// The source has closed it, and nobody has told the tool.
  @Test func isHalfOpen() throws {
    let scene = try Scene(["--io-timeout", "2s"]) { try FaultyProxy(to: $0) }
    scene.proxy.isHole.store(true, ordering: .releasing)
    try scene.source.client().endConnections(ofType: "replica")
    try awaitCondition("the run to give the link up") {
      scene.tool.standardError.contains("said nothing for 2000 ms")
    }
    scene.proxy.isHole.store(false, ordering: .releasing)
    try scene.application.awaitCommands(500)
    try scene.conclude(fulls: 2)
  }

  @Test func isSlow() throws {
    let scene = try Scene { try FaultyProxy(to: $0, delayMilliseconds: 200) }
    try scene.application.awaitCommands(500)
    scene.proxy.drop()
    try scene.application.awaitCommands(500)
    try scene.conclude(fulls: 2)
  }

  @Test func isNarrow() throws {
    let scene = try Scene(source: ["--repl-diskless-sync-max-replicas", "1"]) { source in
      let value = SampleData.noise(200)
      _ = try source.client().pipeline((0..<10_000).map { ["SET", "bump:many:\($0)", value] })
      return try FaultyProxy(to: source, bytesPerSecond: 1 << 20)
    }
    try scene.application.awaitCommands(1000)
    try scene.conclude(fulls: 2)
  }

  /// A source that was shut down in order knows its history when it starts again, and goes on with it.
  @Test func theSourceRestartsWithItsData() throws {
    let source = try TestServer(.redis70, ["--repl-backlog-size", "64mb"])
    let destination = try TestServer()
    try SampleData.fill(source)
    let tool = try Tool.start(["sync", "-s", source.url, "-d", destination.url, "-p", "bump:"])
    try source.awaitToolFollowing(tool)
    try source.client()("SET", "bump:before", 1)
    _ = try? source.client().reply(to: "SHUTDOWN", "SAVE")
    try awaitCondition("the source to end") { !source.isRunning }
    try source.restart()
    try source.client()("SET", "bump:after", 1)
    try source.awaitToolFollowing(tool)
    try source.awaitToolInSync(tool)
    #expect(try source.resynchronisations()[0] == "0", "\(tool.standardError)")
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
    try expectEqual(destination, to: source, prefixes: ["bump:"], afterStream: true)
  }

  /// One that crashed comes back as it was a while ago: the destination has to go back with it.
  @Test func theSourceRestartsWithOldData() throws {
    let source = try TestServer(.redis70, ["--repl-backlog-size", "64mb"])
    let destination = try TestServer()
    try SampleData.fill(source)
    let tool = try Tool.start(["sync", "-s", source.url, "-d", destination.url, "-p", "bump:"])
    try source.awaitToolFollowing(tool)
    try source.client()("SAVE")
    try source.client()("SET", "bump:lost", 1)
    try source.awaitToolInSync(tool)
    source.crash()
    try source.restart()
    try source.client()("SET", "bump:after", 1)
    try source.awaitToolFollowing(tool)
    try source.awaitToolInSync(tool)
    #expect(try source.resynchronisations()[0] == "1", "\(tool.standardError)")
    tool.send(signal: SIGINT)
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 5)
    #expect(result.standardError.contains("the source has lost what came before"), "\(result)")
    try expectEqual(destination, to: source, prefixes: ["bump:"], afterStream: true)
  }
}
