// The simulated source's network and its readers, behind the link's own transport protocol: whatever
// the link asks of the outside is an event, and chance decides what it brings.

@testable import ReplicaLink

/// Everything around the link, on one thread.
final class SimulatedWorld {
  var random: SeededRandom
  var now: Int64 = 1_000
  private(set) var events = 0
  var history: SimulatedHistory
  let control = LinkControl()
  let spool: Spool
  var readers: [SimulatedReader]
  /// What went wrong; the simulation ends with the first.
  var failures: [String] = []
  private let eventsMax: Int
  private var links: [LinkChannel: Connection] = [:]
  /// No faults until everything has been compared; at first, since the first attachment may not fail.
  private var isQuiet = true
  private(set) var comparisons = 0
  private(set) var connections = 0
  private(set) var secondSnapshots = 0

  /// One connection as the source sees it.
  private struct Connection {
    var input: [UInt8] = []
    /// Lines and snapshot; `position` of it are sent.
    var output: [UInt8] = []
    var position = 0
    /// Where sending must not pause: behind a mark that is none.
    var restless: Int?
    /// Where the stream goes on behind the output; nil before PSYNC.
    var stream: UInt64?
    var awaitsAcknowledgement = false
    var isStuck = false
    /// Takes two channels, as Redis does or as Valkey does.
    var takesTwo = false
    /// Closed by the source once all is sent.
    var endsWithOutput = false
  }

  init(seed: SeededRandom, events: Int, limits: SpoolLimits, readerCount: Int) {
    random = seed
    history = SimulatedHistory(&random)
    eventsMax = events
    spool = Spool(limits: limits, readerCount: readerCount, roomBell: control.bell)
    readers = (0..<readerCount).map { SimulatedReader(index: $0) }
  }

  // MARK: - Events

  private func happen() {
    events += 1
    if control.bell.isRinging { control.bell.silence() }
    if !failures.isEmpty { return control.stop() }
    if !isQuiet, events % 3_000 == 0 { isQuiet = true }
    if isQuiet { return rest() }
    if random.chance(3) { history.write(&random) }
    if random.chance(2) { stepReaders(1) }
    switch random.below(8_000) {
    case 0..<16: links = [:]
    case 16..<20: links[random.chance(2) ? .main : .snapshot] = nil
    case 20..<28: links[random.chance(2) ? .main : .snapshot]?.isStuck = true
    case 28..<36:
      history.failOver(&random)
      links = [:]
    case 36..<38:
      history.restart(&random)
      links = [:]
    case 38..<46: history.shrinkBacklog(&random)
    case 60: control.ask(.snapshot(reason: "by chance"), insteadOf: nil)
    default: break
    }
  }

  /// Until link and readers have everything, nothing happens; then it must be what was written.
  private func rest() {
    history.closeTransaction()
    for channel in LinkChannel.allCases { links[channel]?.isStuck = false }
    stepReaders(4)
    guard readers.allSatisfy({ $0.isStreaming && $0.end == history.end }) else { return }
    for reader in readers {
      guard let truth = history.stream(from: reader.logStart) else { continue }
      if !truth.elementsEqual(reader.log) {
        failures.append("reader \(reader.index) has other bytes than were written")
      }
    }
    comparisons += 1
    history.trim(to: 60_000)
    for index in readers.indices { readers[index].forget() }
    isQuiet = false
    if events >= eventsMax { control.stop() }
  }

  private func stepReaders(_ count: Int) {
    for _ in 0..<count {
      for index in readers.indices where isQuiet || random.chance(index + 1) {
        var reader = readers[index]
        reader.step(self, isQuiet: isQuiet)
        readers[index] = reader
      }
    }
  }

  // MARK: - The link's side

  func connect(_ channel: LinkChannel) throws(LinkError) -> LinkPeer {
    happen()
    now += Int64(random.below(20))
    if !isQuiet, random.chance(4) { throw LinkError(.refused, "connecting", "by chance") }
    links[channel] = Connection()
    connections += 1
    return LinkPeer(name: "simulated:1", credentials: nil)
  }

  func disconnect(_ channel: LinkChannel) { links[channel] = nil }

  func isClosed(_ channel: LinkChannel) -> Bool { links[channel] == nil }

  func send(
    _ channel: LinkChannel, _ bytes: UnsafeRawBufferPointer
  ) throws(LinkError) -> Socket.Transfer {
    happen()
    guard links[channel] != nil else { throw LinkError(.closed, "sending", "by chance") }
    if random.chance(5) { return .wouldBlock }
    let count = 1 + random.below(bytes.count)
    links[channel]?.input += bytes[..<count]
    while let command = takeCommand(channel) { obey(channel, command) }
    return .bytes(count)
  }

  func receive(
    _ channel: LinkChannel, into room: UnsafeMutableRawBufferPointer
  ) throws(LinkError) -> Socket.Transfer {
    // Lines are read byte by byte: were each an event, few would come to their end.
    if room.count > 1 || random.chance(30) { happen() }
    guard var link = links[channel] else {
      if random.chance(2) { return .endOfStream }
      throw LinkError(.closed, "reading", "reset by chance")
    }
    let isRestless = link.restless == link.position
    if link.isStuck || (!isRestless && random.chance(4)) { return .wouldBlock }
    guard let source = output(of: link) else {
      return link.endsWithOutput ? .endOfStream : .wouldBlock
    }
    let most = random.chance(3) ? 5_000 : 50
    let count = min(room.count, source.count, 1 + random.below(most))
    room.copyBytes(from: source.prefix(count))
    if link.position < link.output.count {
      link.position += count
    } else if let offset = link.stream {
      link.stream = offset + UInt64(count)
    }
    links[channel] = link
    return .bytes(count)
  }

  /// What a connection has to say now; nil for nothing.
  private func output(of link: Connection) -> ArraySlice<UInt8>? {
    if link.position < link.output.count { return link.output[link.position...] }
    guard let offset = link.stream, !link.awaitsAcknowledgement else { return nil }
    let stream = history.stream(from: offset)
    return stream?.isEmpty == false ? stream : nil
  }

  func wait(until deadline: Int64) {
    happen()
    let isDead = links.isEmpty || links.values.contains { $0.isStuck }
    if isDead || (!isQuiet && random.chance(100)) {
      now = max(now, deadline)
    } else {
      now = min(max(now, deadline), now + Int64(random.below(20)))
    }
  }

  // MARK: - The source's side

  private func takeCommand(_ channel: LinkChannel) -> [String]? {
    guard let link = links[channel] else { return nil }
    var decoder = CommandDecoder(offset: 0)
    link.input.withUnsafeBytes { decoder.append($0) }
    guard (try? decoder.next()) == .command else { return nil }
    links[channel]?.input.removeFirst(Int(decoder.endOffset))
    return decoder.arguments().map { String(decoding: $0, as: UTF8.self) }
  }

  private func say(_ channel: LinkChannel, _ text: String) {
    if random.chance(4) { links[channel]?.output += [10] }
    links[channel]?.output += Array(text.utf8)
  }

  private func obey(_ channel: LinkChannel, _ words: [String]) {
    switch (words[0], words.dropFirst().first) {
    case ("REPLCONF", "ACK"):
      links[channel]?.awaitsAcknowledgement = false
      guard let offset = UInt64(words[2]), offset <= readers.map(\.appliedMax).max() ?? 0 else {
        failures.append("acknowledged \(words[2]), which nobody has applied")
        return
      }
    case ("REPLCONF", _):
      if words.contains("rdb-channel-repl") { links[channel]?.takesTwo = true }
      say(channel, random.chance(2) ? "+OK\r\n" : "-ERR unknown option\r\n")
    case ("INFO", _):
      let text = history.information
      say(channel, random.chance(3) ? "-NOPERM no\r\n" : "$\(text.utf8.count)\r\n\(text)\r\n")
    case ("PSYNC", "?") where channel == .snapshot: sendSecondSnapshot(isValkey: false)
    case ("SYNC", _) where channel == .snapshot: sendSecondSnapshot(isValkey: true)
    case ("PSYNC", _) where channel == .main: synchronise(words[1], words[2])
    default: failures.append("the link said \(words)")
    }
  }

  private func synchronise(_ identity: String, _ first: String) {
    if !isQuiet, random.chance(10) {
      return say(.main, random.chance(2) ? "-LOADING wait\r\n" : "-NOMASTERLINK wait\r\n")
    }
    switch UInt64(first).map({ history.answer(identity, $0) }) ?? .snapshot {
    case .wrong: failures.append("asked for \(first), which is inside of something")
    case .goOn:
      let isTerse = identity == history.identity && random.chance(2)
      say(.main, isTerse ? "+CONTINUE\r\n" : "+CONTINUE \(history.identity)\r\n")
      links[.main]?.stream = (UInt64(first) ?? 1) - 1
    case .snapshot:
      if links[.main]?.takesTwo == true, random.chance(2) {
        say(.main, random.chance(2) ? "+DUALCHANNELSYNC\r\n" : "+RDBCHANNELSYNC 7\r\n")
      } else {
        sendSnapshot()
      }
    }
  }

  private func sendSnapshot() {
    // A server forks between transactions.
    history.closeTransaction()
    say(.main, "+FULLRESYNC \(history.identity) \(history.end)\r\n")
    let isMarked = random.chance(2)
    append(to: .main, isMarked: isMarked)
    links[.main]?.stream = history.end
    links[.main]?.awaitsAcknowledgement = isMarked
  }

  private func sendSecondSnapshot(isValkey: Bool) {
    history.closeTransaction()
    secondSnapshots += 1
    if isValkey {
      say(.snapshot, "$ENDOFF:\(history.end) \(history.identity) 0 9\r\n")
    } else {
      say(.snapshot, "+FULLRESYNC \(history.identity) \(history.end)\r\n")
      links[.main]?.stream = history.end
    }
    append(to: .snapshot, isMarked: true)
    links[.snapshot]?.endsWithOutput = isValkey
  }

  private func append(to channel: LinkChannel, isMarked: Bool) {
    let snapshot = SimulatedSnapshot(history.identity, history.end)
    say(
      channel,
      isMarked
        ? "$EOF:\(String(decoding: snapshot.mark, as: UTF8.self))\r\n"
        : "$\(snapshot.bytes.count)\r\n")
    let head = links[channel]?.output.count ?? 0
    links[channel]?.restless = snapshot.decoyEnd.map { $0 + head }
    links[channel]?.output += snapshot.bytes + (isMarked ? snapshot.mark : [])
  }
}

/// The link's view of the world.
struct SimulatedTransport: LinkTransport, ~Copyable {
  let world: SimulatedWorld

  var nowMilliseconds: Int64 { world.now }
  mutating func connect(_ channel: LinkChannel) throws(LinkError) -> LinkPeer {
    try world.connect(channel)
  }
  mutating func disconnect(_ channel: LinkChannel) { world.disconnect(channel) }
  mutating func receive(
    _ channel: LinkChannel, into buffer: UnsafeMutableRawBufferPointer
  ) throws(LinkError) -> Socket.Transfer { try world.receive(channel, into: buffer) }
  mutating func send(
    _ channel: LinkChannel, _ bytes: UnsafeRawBufferPointer
  ) throws(LinkError) -> Socket.Transfer { try world.send(channel, bytes) }
  func isClosed(_ channel: LinkChannel) -> Bool { world.isClosed(channel) }
  mutating func wait(
    reads: [LinkChannel], writes: [LinkChannel], untilMilliseconds deadline: Int64,
    gatherMicroseconds: UInt32
  ) { world.wait(until: deadline) }
}
