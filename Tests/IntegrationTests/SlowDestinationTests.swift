// A destination that stands still: the source must not notice (it never drops the link), and nothing
// is lost. The source is told to be impatient, so that it would notice.

import Glibc
import Testing

@Suite("A slow destination", .ownThread)
struct SlowDestinationTests {
  /// A source with 60 MB that drops a replica which does not read (32 MB queued) or does not ACK (5 s).
  private func impatientSource() throws -> TestServer {
    let source = try TestServer(
      .redis70,
      ["--client-output-buffer-limit", "replica 32mb 32mb 1", "--repl-timeout", "5"])
    let client = try source.client()
    for batch in 0..<30 {
      _ = try client.pipeline(
        (0..<100).map { ["SET", "bump:large:\(batch):\($0)", SampleData.noise(20_000 + $0)] })
    }
    return source
  }

  /// Writes 60 MB, more than the source and the sockets would keep for a replica that does not read,
  /// and takes at least so long.
  private func writeMuch(_ source: TestServer, seconds: Double) throws {
    let client = try source.client()
    let value = SampleData.noise(20_000)
    let rounds = 300
    for _ in 0..<rounds {
      _ = try client.pipeline(
        (0..<10).flatMap {
          [["SET", "bump:\($0)", value], ["INCR", "bump:n"], ["RPUSH", "bump:l", $0]]
        })
      try #require(try client.info("replication")["connected_slaves"] == "1")
      usleep(UInt32(seconds * 1e6) / UInt32(rounds))
    }
  }

  private func finish(_ tool: Subprocess, _ source: TestServer, _ destination: TestServer) throws {
    try source.awaitToolInSync(tool)
    #expect(try source.resynchronisations() == ["1", "0"])
    tool.send(signal: SIGINT)
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 5, "\(result)")
    try expectEqual(destination, to: source, prefixes: ["bump:"], afterStream: true)
  }

  private func start(_ source: TestServer, _ destination: TestServer) throws -> Subprocess {
    try Tool.start(["sync", "-s", source.url, "-d", destination.url, "-p", "bump:"])
  }

  @Test func frozenDuringTheSnapshot() throws {
    let source = try impatientSource()
    // The pause between keys makes the snapshot last long enough to be frozen in its middle.
    try source.client()("CONFIG", "SET", "rdb-key-save-delay", 500)
    let destination = try TestServer()
    let tool = try Tool.start(
      ["sync", "-s", source.url, "-d", destination.url, "-p", "bump:", "--queue-memory", "8mb"])
    try awaitCondition("the first keys to arrive") {
      // The job's own records are there before the first key.
      (try destination.client()("DBSIZE").number ?? 0) > 10
    }
    destination.freeze()
    try awaitCondition("the source to be done with its snapshot", seconds: 60) {
      try source.client().info("persistence")["rdb_bgsave_in_progress"] == "0"
        && source.attachedTools().contains { $0.state == "online" }
    }
    // So slowly that the tool keeps up with it whatever the machine: it writes all of it to disk.
    try writeMuch(source, seconds: 12)
    // Snapshot and stream wait by now, more than the queue may keep in memory.
    #expect(try tool.peakMemoryBytes() < (100 + 8) << 20)
    destination.thaw()
    try finish(tool, source, destination)
  }

  @Test func frozenWhileFollowing() throws {
    let source = try impatientSource()
    let destination = try TestServer()
    let tool = try start(source, destination)
    try source.awaitToolFollowing(tool)
    destination.freeze()
    try writeMuch(source, seconds: 20)
    destination.thaw()
    try finish(tool, source, destination)
  }

  @Test func sleepingWhileFollowing() throws {
    let source = try impatientSource()
    let destination = try TestServer()
    let tool = try start(source, destination)
    try source.awaitToolFollowing(tool)
    let sleeper = try Subprocess(
      packageRoot + "/.servers/redis-7.0/redis-cli",
      ["-p", "\(destination.port)", "DEBUG", "SLEEP", "9"])
    try writeMuch(source, seconds: 8)
    #expect(try sleeper.wait(seconds: 30) == 0)
    try finish(tool, source, destination)
  }

  /// The signal ends the run even though the destination does not answer.
  @Test func interruptedWhileTheDestinationStandsStill() throws {
    let source = try impatientSource()
    let destination = try TestServer()
    let tool = try start(source, destination)
    try source.awaitToolFollowing(tool)
    destination.freeze()
    try source.client()("SET", "bump:one", 1)
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
    destination.thaw()
    #expect(try destination.client()("PING").text == "PONG")
  }
}
