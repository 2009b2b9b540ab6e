// A destination that answers, and not with what was hoped for: the run waits, says so in a clear line,
// keeps draining the source, goes on by itself when it can, and loses nothing.

import Glibc
import Testing

@Suite("A destination that cannot take data now", .ownThread)
struct PolicyTests {
  /// What is wrong with the destination for a while.
  enum Obstacle: String, CaseIterable, CustomTestStringConvertible {
    case outOfMemory, readOnly, cannotSave, busy, password, clients, replicas

    var testDescription: String { rawValue }

    /// What the run says of it.
    var words: String {
      switch self {
      case .outOfMemory: "out of memory"
      case .readOnly: "read-only"
      case .cannotSave: "cannot save"
      case .busy: "busy running a script"
      case .password: "another password"
      case .clients: "clients"
      case .replicas: "not enough good replicas"
      }
    }

    /// Puts it in the way; the client is used to take it away again.
    func raise(_ server: TestServer, _ client: TestClient) throws {
      switch self {
      case .outOfMemory: try client("CONFIG", "SET", "maxmemory", 1)
      case .readOnly: try client("REPLICAOF", "127.0.0.1", 1)
      case .cannotSave:
        // A folder that is not empty stands where the file would go.
        mkdir(server.folder + "/dump.rdb", 0o700)
        mkdir(server.folder + "/dump.rdb/full", 0o700)
        try client("CONFIG", "SET", "save", "3600 1")
        try client("BGSAVE")
        try awaitCondition("a save to fail") {
          try client.info("persistence")["rdb_last_bgsave_status"] == "err"
        }
      case .busy:
        try client("CONFIG", "SET", "busy-reply-threshold", 10)
        let port = server.port
        pthread_detach(
          startThread { _ = try? TestClient(port: port)("EVAL", "while true do end", 0) })
        try awaitCondition("the script to run") {
          if case .error = try client.reply(to: "PING") { true } else { false }
        }
      case .password:
        try client("CONFIG", "SET", "requirepass", "new")
        try client.endConnections(ofType: "normal")
      case .clients:
        try client("CONFIG", "SET", "maxclients", 1)
        try client.endConnections(ofType: "normal")
      case .replicas: try client("CONFIG", "SET", "min-replicas-to-write", 1)
      }
    }

    func remove(_ server: TestServer, _ client: TestClient) throws {
      switch self {
      case .outOfMemory: try client("CONFIG", "SET", "maxmemory", 0)
      case .readOnly: try client("REPLICAOF", "NO", "ONE")
      case .cannotSave:
        rmdir(server.folder + "/dump.rdb/full")
        rmdir(server.folder + "/dump.rdb")
        try client("BGSAVE")
      case .busy: try client("SCRIPT", "KILL")
      case .password: try client("CONFIG", "SET", "requirepass", "")
      case .clients: try client("CONFIG", "SET", "maxclients", 1000)
      case .replicas: try client("CONFIG", "SET", "min-replicas-to-write", 0)
      }
    }
  }

  @Test(arguments: Obstacle.allCases)
  func isWaitedFor(obstacle: Obstacle) throws {
    let source = try TestServer(.redis70, ["--repl-backlog-size", "64mb"])
    let destination = try TestServer()
    try SampleData.fill(source)
    let native = try NativeReplica(of: source)
    let application = try Application(to: source, seed: .random(in: 1...1_000_000), brief: false)
    let tool = try Tool.start(["sync", "-s", source.url, "-d", destination.url, "-p", "bump:"])
    try source.awaitToolFollowing(tool, besides: [native.server.port])
    let client = try destination.client()
    try obstacle.raise(destination, client)
    try awaitCondition("the run to say what is in the way") {
      try #require(tool.isRunning, "\(tool.standardError)")
      return tool.standardError.lowercased().contains(obstacle.words)
    }
    // The source is drained all the while: what it holds for the tool is a moment's writes.
    try application.awaitCommands(3000)
    let buffered = try source.client()("CLIENT", "LIST", "TYPE", "replica").text
    for line in buffered.split(separator: "\n") where !line.contains("port=\(native.server.port)") {
      let memory = line.split(separator: " ").first { $0.hasPrefix("omem=") }
      #expect(Int(memory?.dropFirst(5) ?? "") ?? .max < 1 << 20, "\(line)")
    }
    try obstacle.remove(destination, client)
    let result = try native.conclude(application, tool, destination, fulls: 2)
    #expect(result.standardError.contains("what was waited for is over"), "\(result)")
  }

  /// A password that was right when the run began.
  @Test func aPasswordThatIsWrongByNow() throws {
    let source = try TestServer()
    let destination = try TestServer(.redis70)
    let client = try destination.client()
    try client("CONFIG", "SET", "requirepass", "old")
    let tool = try Tool.start(
      ["sync", "-s", source.url, "-d", destination.url, "-p", "bump:"],
      environment: ["MIGR8SYNC_DEST_PASSWORD": "old"])
    try source.awaitToolFollowing(tool)
    try client("CONFIG", "SET", "requirepass", "new")
    try client.endConnections(ofType: "normal")
    try source.client()("SET", "bump:1", 1)
    try awaitCondition("the run to say so") {
      try #require(tool.isRunning, "\(tool.standardError)")
      return tool.standardError.contains("password is wrong")
    }
    try client("CONFIG", "SET", "requirepass", "old")
    try source.awaitToolInSync(tool)
    #expect(try client("GET", "bump:1").text == "1")
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
  }

  /// It restarts, and takes a while to read its data: until then it is not asked for anything else.
  @Test func aDestinationThatLoads() throws {
    let source = try TestServer(.redis70, ["--repl-backlog-size", "64mb"])
    let destination = try TestServer(.redis70, ["--appendonly", "yes"])
    let writer = try source.client()
    _ = try writer.pipeline((0..<300).map { ["SET", "bump:\($0)", $0] })
    let tool = try Tool.start(["sync", "-s", source.url, "-d", destination.url, "-p", "bump:"])
    try source.awaitToolFollowing(tool)
    let client = try destination.client()
    // A rewrite puts the data into a file that is loaded key by key, as slowly as it is told to.
    try client("BGREWRITEAOF")
    try awaitCondition("the rewrite") {
      try client.info("persistence")["aof_rewrite_in_progress"] == "0"
    }
    try client("CONFIG", "SET", "key-load-delay", 10_000)
    let reload = startThread { [port = destination.port] in
      _ = try? TestClient(port: port)("DEBUG", "LOADAOF")
    }
    try writer("INCR", "bump:n")
    pthread_join(reload, nil)
    try source.awaitToolInSync(tool)
    #expect(try client("GET", "bump:n").text == "1")
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
    #expect(try source.resynchronisations()[0] == "1")
  }

  /// One that is full before the snapshot is there must not cost the source one snapshot after another.
  @Test func outOfMemoryInTheSnapshot() throws {
    let source = try TestServer(.redis70, ["--repl-backlog-size", "64mb"])
    let destination = try TestServer(.redis70, ["--maxmemory", "4mb"])
    try source.client()("DEBUG", "POPULATE", 50_000, "bump:many", 100)
    let tool = try Tool.start(["sync", "-s", source.url, "-d", destination.url, "-p", "bump:"])
    try awaitCondition("the run to say so", seconds: 60) {
      try #require(tool.isRunning, "\(tool.standardError)")
      return tool.standardError.contains("out of memory")
    }
    let began = Int(try source.client()("TIME").elements[0].text) ?? 0
    try awaitCondition("six seconds at the source") {
      (Int(try source.client()("TIME").elements[0].text) ?? 0) >= began + 6
    }
    #expect((Int(try source.resynchronisations()[0] ?? "") ?? .max) <= 2)
    try destination.client()("CONFIG", "SET", "maxmemory", 0)
    try source.awaitToolFollowing(tool)
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
    #expect(try destination.client()("DBSIZE").number ?? 0 >= 50_000)
  }

  /// Answers that a server alone does not give, in the queue of a transaction and from its EXEC.
  @Test(arguments: [
    "CLUSTERDOWN Hash slot not served", "TRYAGAIN Multiple keys request during rehashing of slot",
    "LOADING Redis is loading the dataset in memory", "MASTERDOWN Link with MASTER is down",
  ])
  func aRefusedTransactionIsSentAgainOnce(refusal: String) throws {
    let aborted = "EXECABORT Transaction discarded because of previous errors."
    try followThrough([
      .refusal(queued: refusal, executed: aborted),
      .refusal(queued: nil, executed: "EXECABORT Transaction discarded because of: \(refusal)"),
      .refusal(queued: nil, executed: aborted),
    ]) { $0.contains("cannot write now: \(refusal)") && $0.contains("EXECABORT") }
  }

  /// Was it carried out? The checkpoint knows.
  @Test func aConnectionThatIsLostBetweenExecAndItsReply() throws {
    try followThrough(Array(repeating: .silence, count: 5)) {
      $0.contains("what was waited for is over")
    }
  }

  /// Counts at the source while transactions get these answers: each is applied exactly once.
  private func followThrough(
    _ answers: [FakingProxy.Answer], saying isSaid: (String) -> Bool
  ) throws {
    let source = try TestServer()
    let destination = try TestServer()
    let proxy = try FakingProxy(to: destination)
    defer { proxy.stop() }
    let tool = try Tool.start(["sync", "-s", source.url, "-d", proxy.url, "-p", "bump:"])
    try source.awaitToolFollowing(tool)
    let (writer, reader) = (try source.client(), try destination.client())
    for (index, answer) in answers.enumerated() {
      proxy.answer([answer])
      try writer("INCR", "bump:n")
      try writer("RPUSH", "bump:list", index)
      try awaitCondition("the answer to be given") { proxy.isDone }
      try source.awaitToolInSync(tool)
      // A repair after a lost reply may still be under way.
      try awaitCondition("the counter to be \(index + 1)") {
        try #require(tool.isRunning, "\(tool.standardError)")
        return try reader("GET", "bump:n").text == "\(index + 1)"
          && reader("LLEN", "bump:list").number == index + 1
      }
    }
    tool.send(signal: SIGINT)
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 5, "\(result)")
    #expect(isSaid(result.standardError), "\(result)")
    #expect(try source.resynchronisations()[0] == "1")
    try expectEqual(destination, to: source, prefixes: ["bump:"], afterStream: true)
  }

  /// A replica takes over that has not received the last writes: they are done again, from its checkpoint.
  @Test func aFailoverThatLosesTheLastWrites() throws {
    let source = try TestServer(.redis70, ["--repl-backlog-size", "64mb"])
    let destination = try TestServer()
    let heir = try TestServer()
    let native = try NativeReplica(of: source)
    let application = try Application(to: source, seed: .random(in: 1...1_000_000))
    let client = try heir.client()
    try client("REPLICAOF", "127.0.0.1", destination.port)
    let tool = try Tool.start(["sync", "-s", source.url, "-d", destination.url, "-p", "bump:"])
    try source.awaitToolFollowing(tool, besides: [native.server.port])
    try awaitCondition("the replica of the destination") {
      try client.info("replication")["master_link_status"] == "up"
    }
    try application.awaitCommands(1000)
    try client("REPLICAOF", "NO", "ONE")
    try application.awaitCommands(1000)
    destination.crash()
    try client("CONFIG", "SET", "port", destination.port)
    try application.awaitCommands(1000)
    try application.stop()
    try source.awaitToolInSync(tool, besides: [native.server.port])
    tool.send(signal: SIGINT)
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 5, "\(result)")
    try native.promote()
    // The heir answers on its first connections and at the other's port.
    try client("CONFIG", "SET", "port", heir.port)
    try expectEqual(heir, to: native.server, prefixes: [Application.inside], afterStream: true)
    #expect(try source.resynchronisations()[0] == "2", "\(result)")
  }

  /// Written at the source is not yet there: WAIT must not say so while the destination stands still.
  @Test func nothingIsAcknowledgedThatAStoppedDestinationDoesNotHave() throws {
    let source = try TestServer()
    let destination = try TestServer()
    let writer = try source.client()
    let tool = try Tool.start(["sync", "-s", source.url, "-d", destination.url, "-p", "bump:"])
    try source.awaitToolFollowing(tool)
    destination.freeze()
    try writer("SET", "bump:1", 1)
    #expect(try writer("WAIT", 1, 3000).number == 0)
    destination.thaw()
    #expect(try writer("WAIT", 1, 0).number == 1)
    #expect(try destination.client()("GET", "bump:1").text == "1")
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
  }
}
