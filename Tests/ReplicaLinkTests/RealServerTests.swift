// The link against a real redis-server, which judges our manners by its own rules.

import Testing

@testable import ReplicaLink

@Suite(
  .enabled(if: RealServer.isPresent, "no redis-server on the PATH"), .timeLimit(.minutes(2)))
struct RealServerTests {
  private static func link(
    _ url: RedisURL, folder: String = "/tmp", diskBytes: UInt64 = 0
  ) -> ReplicaLink {
    ReplicaLink(
      source: url, timeouts: Timeouts(),
      spoolLimits: SpoolLimits(memoryBytes: 1 << 20, diskBytes: diskBytes, directory: folder))
  }

  /// Waits until `condition` holds.
  private static func await(
    _ what: String, _ condition: () throws -> Bool
  ) throws {
    let deadline = Clock.monotonicMilliseconds() + FakeMaster.patienceMilliseconds
    while try !condition() {
      guard Clock.monotonicMilliseconds() < deadline else {
        throw PlayError(description: "in vain: \(what)")
      }
    }
  }

  @Test(arguments: ["yes", "no"])
  func anUnreadSpoolKeepsTheSourceDrainedAndTheStreamExact(_ diskless: String) throws {
    let server = try RealServer(["--repl-diskless-sync", diskless])
    var client = try server.connect()
    _ = try client.command("SET", "before", "1")
    let folder = try TemporaryFolder()
    let link = Self.link(try server.url(), folder: folder.path, diskBytes: 1 << 30)
    let thread = link.start()
    let start = try link.waitForSnapshot()
    let value = [UInt8](repeating: 120, count: 100_000)
    for index in 0..<300 {
      _ = try client.command([Array("SET".utf8), Array("key:\(index % 7)".utf8), value])
    }
    #expect(try information("connected_slaves", &client) == "1")
    let goal = try Self.offset(&client)
    #expect(goal > start.offset + 30_000_000)
    // The server's queue for us is empty when everything it ever sent is in the spool.
    try Self.await("the stream in the spool") {
      link.spool.status.receivedBytes >= goal - start.offset
    }
    #expect(link.spool.status.consumedBytes == 0)
    #expect(link.spool.status.diskBytes > 0)
    let commands = try Self.decode(link, start, goal: goal)
    #expect(commands.filter { $0.first == "SET" }.count == 300)
    link.stop()
    thread.join()
  }

  private static func offset(_ client: inout RedisConnection) throws -> UInt64 {
    try #require(UInt64(information("master_repl_offset", &client) ?? ""))
  }

  /// Reads the spool up to the stream offset `goal`, which must be a command's end.
  private static func decode(
    _ link: ReplicaLink, _ start: SnapshotStart, goal: UInt64
  ) throws -> [[String]] {
    var bytes: [UInt8] = []
    var room = [UInt8](repeating: 0, count: 1 << 20)
    func read() throws {
      let deadline = Clock.monotonicMilliseconds() + FakeMaster.patienceMilliseconds
      let read = try room.withUnsafeMutableBytes {
        try link.spool.consume(into: $0, untilMilliseconds: deadline)
      }
      guard case .bytes(let count) = read else { throw PlayError(description: "no more bytes") }
      bytes += room[..<count]
    }
    // This snapshot's few bytes do not hold their own mark.
    switch start.framing {
    case .length(let length):
      while bytes.count < Int(length) { try read() }
      bytes.removeFirst(Int(length))
    case .mark(let mark):
      var end: Int?
      while end == nil {
        try read()
        let places = 0...max(0, min(bytes.count, 10_000) - 40)
        end = places.first { bytes[$0..<min(bytes.count, $0 + 40)].elementsEqual(mark) }
      }
      bytes.removeFirst((end ?? 0) + 40)
    }
    var decoder = CommandDecoder(offset: start.offset)
    var commands: [[String]] = []
    while decoder.endOffset < goal {
      bytes.withUnsafeBytes { decoder.append($0) }
      while try decoder.next() == .command {
        commands.append(decoder.arguments().map { String(decoding: $0.prefix(20), as: UTF8.self) })
      }
      bytes = []
      if decoder.endOffset < goal { try read() }
    }
    #expect(decoder.endOffset == goal)
    return commands
  }

  @Test(arguments: ["yes", "no"])
  func waitAtTheSourceMeansAcknowledged(_ diskless: String) throws {
    let server = try RealServer(["--repl-diskless-sync", diskless])
    var client = try server.connect()
    let link = Self.link(try server.url())
    let thread = link.start()
    _ = try link.waitForSnapshot()
    try Self.await("the replica online") {
      try information("slave0", &client)?.contains("state=online") == true
    }
    for round in 0..<3 {
      _ = try client.command("SET", "key", "\(round)")
      var offset = try Self.offset(&client)
      // One byte less is not enough.
      link.acknowledge(offset - 1)
      link.acknowledgeNow()
      #expect(try client.command("WAIT", "1", "100") == .integer(0))
      // In vain the server has asked for an ACK, and waits for what it said then, too.
      offset = try Self.offset(&client)
      link.acknowledge(offset)
      link.acknowledgeNow()
      #expect(try client.command("WAIT", "1", "20000") == .integer(1))
    }
    link.stop()
    thread.join()
    try Self.await("the replica gone") { try information("connected_slaves", &client) == "0" }
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
    Refusal(options: "--replicaof 127.0.0.1 1", code: .masterLinkDown),
    Refusal(options: "--maxclients 1", code: .rejected),
  ])
  func aRealServersRefusalIsTyped(_ refusal: Refusal) throws {
    let server = try RealServer(refusal.options.split(separator: " ").map(String.init))
    // Takes the only place where there is but one.
    let guest = try server.connect()
    let link = Self.link(try server.url(refusal.login))
    let thread = link.start()
    let start = try? link.waitForSnapshot()
    #expect((start != nil) == (refusal.code == nil))
    link.stop()
    thread.join()
    guard case .ended(let error) = link.currentPhase else {
      Issue.record("the link has not ended")
      return
    }
    #expect(error.code == refusal.code ?? .stopped, "\(error)")
    _ = guest.peer
  }
}
