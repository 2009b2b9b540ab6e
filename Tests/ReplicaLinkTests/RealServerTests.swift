// The link against a real redis-server, which judges our manners by its own rules.

import Testing

@testable import ReplicaLink

@Suite(
  .enabled(if: RealServer.isPresent, "no redis-server on the PATH"), .timeLimit(.minutes(10)))
struct RealServerTests {
  @Test(arguments: ["yes", "no"])
  func anUnreadSpoolKeepsTheSourceDrainedAndTheStreamExact(_ diskless: String) throws {
    let server = try RealServer(["--repl-diskless-sync", diskless])
    var client = try server.connect()
    _ = try client.command("SET", "before", "1")
    let folder = try TemporaryFolder()
    let running = RunningLink(
      try server.url(), memoryBytes: 1 << 20, diskBytes: 1 << 30, folder: folder.path)
    let link = running.link
    try running.await("the stream") { $0.phase == .following }
    let start = try #require(link.status.fullResyncs.first?.start)
    let value = [UInt8](repeating: 120, count: 100_000)
    for index in 0..<300 {
      _ = try client.command([Array("SET".utf8), Array("key:\(index % 7)".utf8), value])
    }
    #expect(try information("connected_slaves", &client) == "1")
    let goal = try Self.offset(&client)
    #expect(goal > start.offset + 30_000_000)
    // The server's queue for us is empty when everything it ever sent is in the spool.
    try running.await("the stream in the spool") { $0.receivedOffset >= goal }
    #expect(link.status.spool.unreadBytes > goal - start.offset)
    #expect(link.status.spool.diskBytes > 0)
    let commands = try Self.decode(running, start, goal: goal)
    #expect(commands.filter { $0.first == "SET" }.count == 300)
    running.end()
  }

  private static func offset(_ client: inout RedisConnection) throws -> UInt64 {
    try #require(UInt64(information("master_repl_offset", &client) ?? ""))
  }

  /// Reads up to the stream offset `goal`, which must be a command's end.
  private static func decode(
    _ running: RunningLink, _ start: SnapshotStart, goal: UInt64
  ) throws -> [[String]] {
    while true {
      if case .stream(let place) = try running.next().0 {
        #expect(place == ReplicationPlace(replicationID: start.replicationID, offset: start.offset))
        break
      }
    }
    var decoder = CommandDecoder(offset: start.offset)
    var commands: [[String]] = []
    while decoder.endOffset < goal {
      let (_, bytes) = try running.next()
      bytes.withUnsafeBytes { decoder.append($0) }
      while try decoder.next() == .command {
        commands.append(decoder.arguments().map { String(decoding: $0.prefix(20), as: UTF8.self) })
      }
    }
    #expect(decoder.endOffset == goal)
    return commands
  }

  @Test(arguments: ["yes", "no"])
  func waitAtTheSourceMeansAcknowledged(_ diskless: String) throws {
    let server = try RealServer(["--repl-diskless-sync", diskless])
    var client = try server.connect()
    let running = RunningLink(try server.url())
    let link = running.link
    _ = try running.awaitSnapshot()
    try awaiting("the replica online") {
      try information("slave0", &client)?.contains("state=online") == true
    }
    for round in 0..<3 {
      _ = try client.command("SET", "key", "\(round)")
      var offset = try Self.offset(&client)
      try running.await("all received") { $0.boundaryOffset >= offset }
      // One byte less is not enough.
      link.acknowledge(offset - 1, generation: link.readers[0].generation)
      link.acknowledgeNow()
      #expect(try client.command("WAIT", "1", "100") == .integer(0))
      // In vain the server has asked for an ACK, and waits for what it said then, too.
      offset = try Self.offset(&client)
      try running.await("all received") { $0.boundaryOffset >= offset }
      link.acknowledge(offset, generation: link.readers[0].generation)
      link.acknowledgeNow()
      #expect(try client.command("WAIT", "1", "20000") == .integer(1))
    }
    running.end()
    try awaiting("the replica gone") { try information("connected_slaves", &client) == "0" }
  }

  struct Refusal: Sendable, CustomTestStringConvertible {
    var options: String
    var login = ""
    /// Nil where nothing is refused.
    var code: LinkError.Code?
    var testDescription: String { "\(options) \(login)" }
  }

  @Test(arguments: [
    Refusal(options: "--requirepass secret", code: .authentication),
    Refusal(options: "--requirepass secret", login: ":wrong@", code: .authentication),
    Refusal(options: "--requirepass secret", login: ":secret@"),
    Refusal(options: "--user bob on >pw +@all -psync", login: "bob:pw@", code: .permission),
    Refusal(options: "--user bob on >pw +@all -replconf", login: "bob:pw@", code: .permission),
    Refusal(options: "--user bob on >pw +psync +replconf", login: "bob:pw@"),
    Refusal(options: "--maxclients 1", code: .rejected),
  ])
  func aRealServersRefusalIsTyped(_ refusal: Refusal) throws {
    let server = try RealServer(refusal.options.split(separator: " ").map(String.init))
    // Takes the only place where there is but one.
    let guest = try server.connect()
    let running = RunningLink(try server.url(refusal.login))
    let start = try? running.awaitSnapshot()
    #expect((start != nil) == (refusal.code == nil))
    running.end()
    #expect(running.endError?.code == refusal.code ?? .stopped, "\(running.link.status)")
    _ = guest.peer
  }
}
