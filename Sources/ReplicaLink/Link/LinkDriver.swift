// The thin loop between LinkMachine, which decides, the transport, which moves bytes, and the spool,
// which keeps them.

/// Runs a link on one thread until it is over.
struct LinkDriver<Transport: LinkTransport & ~Copyable>: ~Copyable {
  private var transport: Transport
  private var machine: LinkMachine
  private let spool: Spool
  private let control: LinkControl
  /// What is to be sent.
  private var output = ByteBuffer(capacity: 512)
  private var snapshotOutput = ByteBuffer(capacity: 512)
  /// False once the source takes nothing more: what it sent before is still to be read, and reading
  /// says how the link ended.
  private var isHeard = true
  /// The beginning of a line that has not come whole.
  private var line: [UInt8] = []

  init(
    _ machine: LinkMachine, transport: consuming Transport, spool: Spool, control: LinkControl
  ) {
    self.machine = machine
    self.transport = transport
    self.spool = spool
    self.control = control
  }

  /// Runs to the end.
  mutating func run() {
    while machine.want != .nothing {
      obey()
      let full = step()
      machine.tick(now: transport.nowMilliseconds, full: full)
      carryOut()
      control.publish(machine.status)
    }
  }

  /// Passes on what other threads ask for.
  private mutating func obey() {
    if control.isStopping {
      machine.lost(
        LinkError(
          .stopped, "following \(machine.status.address ?? "the source")", "stopped by request"),
        now: transport.nowMilliseconds)
    } else if let request = control.takeRequest(generation: spool.currentGeneration) {
      machine.begin(request, now: transport.nowMilliseconds)
    }
    carryOut()
  }

  private mutating func carryOut() {
    for effect in machine.takeEffects() {
      switch effect {
      case .disconnect:
        for channel in LinkChannel.allCases { transport.disconnect(channel) }
        output.removeAll()
        snapshotOutput.removeAll()
        line.removeAll()
      case .disconnectSnapshot: transport.disconnect(.snapshot)
      case .send(.main, let bytes): output.append(bytes.span)
      case .send(.snapshot, let bytes): snapshotOutput.append(bytes.span)
      case .beginSnapshot(let start, let reason):
        spool.beginSnapshot(start, reason: reason) { control.forgetApplied() }
      case .finishSnapshot(let markBytes): spool.finishSnapshot(markBytes: markBytes)
      case .beginStream(let place, let written, let shared):
        spool.beginStream(place, written: written, shared: shared) { control.forgetApplied() }
      case .continueStream(let boundary, let identity, let written):
        spool.continueStream(from: boundary, replicationID: identity, written: written)
      case .late(let bytes): spool.noteLate(bytes)
      case .end(let error): spool.end(error)
      }
    }
  }

  /// Does what the machine wants, or waits for the means to. Gives what there was no room for.
  private mutating func step() -> [Spool.Kind] {
    switch machine.want {
    case .nothing: return []
    case .connect(let channel):
      connect(channel)
      return []
    case .pause(let until):
      transport.wait(reads: [], writes: [], untilMilliseconds: until, gatherMicroseconds: 0)
      return []
    case .line(let channel):
      // The main channel is not read while the second one talks: its first bytes are the stream's.
      // A source that has dropped it keeps the other waiting for ever.
      if channel == .snapshot && transport.isClosed(.main) {
        machine.lost(closed, now: transport.nowMilliseconds)
      } else if !receiveLine(channel) {
        wait(reads: [channel], atMostMilliseconds: 1_000)
      }
      return []
    case .snapshot(let limit): return receive([(.snapshot, .main, limit)])
    case .stream: return receive([(.stream, .main, .max)])
    case .both: return receive([(.snapshot, .snapshot, .max), (.stream, .main, .max)])
    }
  }

  private mutating func connect(_ channel: LinkChannel) {
    do throws(LinkError) {
      let peer = try transport.connect(channel)
      if channel == .main { isHeard = true }
      machine.connected(
        peer, earliestOffset: spool.neededOffset, now: transport.nowMilliseconds)
    } catch {
      machine.lost(error, now: transport.nowMilliseconds)
    }
  }

  // MARK: - Lines

  /// Reads byte by byte, so that nothing behind the last line is taken from the snapshot. False: the
  /// line has not come whole.
  private mutating func receiveLine(_ channel: LinkChannel) -> Bool {
    var byte: UInt8 = 0
    do throws(LinkError) {
      while byte != 10 {
        let transfer = try withUnsafeMutableBytes(of: &byte) { room throws(LinkError) in
          try transport.receive(channel, into: room)
        }
        switch transfer {
        case .wouldBlock: return false
        case .endOfStream: throw closed
        case .bytes:
          line.append(byte)
          guard line.count <= ReplicaHandshake.lineBytesMax else {
            throw LinkError(
              .notRedis, "attaching to \(machine.status.address ?? "the source") as a replica",
              "its answer has no end", advice: "check the host and the port")
          }
        }
      }
    } catch {
      machine.lost(error, now: transport.nowMilliseconds)
      return true
    }
    line.removeLast()
    if line.last == 13 { line.removeLast() }
    // As many bytes as came, for those who count them, whatever they are.
    let text =
      String(validating: line, as: UTF8.self)
      ?? String(decoding: line.map { $0 < 128 ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    line.removeAll(keepingCapacity: true)
    machine.line(text, now: transport.nowMilliseconds)
    return true
  }

  private var closed: LinkError {
    LinkError(
      .closed, "following \(machine.status.address ?? "the source")",
      "the source closed the link",
      advice:
        "its log says why: a failed snapshot, client-output-buffer-limit, a restart, CLIENT KILL")
  }

  // MARK: - Bytes

  /// What one attempt to receive came to.
  private enum Receipt {
    case bytes
    case nothing
    /// There was no room for any.
    case full
    /// The connection is lost, or another thing is wanted now.
    case over
  }

  /// Receives what is wanted, or waits for it. Gives what there was no room for.
  private mutating func receive(
    _ wanted: [(kind: Spool.Kind, channel: LinkChannel, limit: UInt64)]
  ) -> [Spool.Kind] {
    let want = machine.want
    var full: [Spool.Kind] = []
    var reads: [LinkChannel] = []
    var isIdle = true
    for (kind, channel, limit) in wanted {
      switch receive(kind, from: channel, atMost: limit) {
      case .bytes: isIdle = false
      case .nothing: reads.append(channel)
      case .full: full.append(kind)
      case .over: return full
      }
      if machine.want != want { isIdle = false }
    }
    acknowledge()
    guard isIdle else { return full }
    // Nobody waits for a single byte of a snapshot.
    let isSnapshot = wanted.contains { $0.kind == .snapshot }
    wait(reads: reads, gatherMicroseconds: isSnapshot ? 1_500 : 300)
    return full
  }

  private mutating func receive(
    _ kind: Spool.Kind, from channel: LinkChannel, atMost limit: UInt64
  ) -> Receipt {
    var transfer = Socket.Transfer.wouldBlock
    do throws(LinkError) {
      let hasRoom = try spool.produce(kind, atMost: limit) { room throws(LinkError) -> Int in
        transfer = try transport.receive(channel, into: room)
        guard case .bytes(let count) = transfer else { return 0 }
        let bytes = UnsafeRawBufferPointer(rebasing: room[..<count])
        return machine.received(kind, bytes, now: transport.nowMilliseconds) ? count : 0
      }
      if !hasRoom { return .full }
    } catch {
      machine.closed(kind, error, now: transport.nowMilliseconds)
      return .over
    }
    switch transfer {
    case .bytes: return .bytes
    case .endOfStream:
      machine.closed(kind, closed, now: transport.nowMilliseconds)
      return .over
    case .wouldBlock:
      if kind == .snapshot { machine.paused() }
      return .nothing
    }
  }

  private mutating func acknowledge() {
    let now = transport.nowMilliseconds
    let isAsked = control.takeAcknowledgeRequest()
    // With one still on its way another would say nothing new in time.
    guard
      let offset = machine.acknowledgement(
        of: control.appliedOffset, isAsked: isAsked, now: now), isHeard, output.isEmpty
    else { return }
    output.append("*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n")
    output.appendBulk(decimal: Int64(clamping: offset))
    flush()
  }

  /// Sends what the source takes now.
  private mutating func flush() {
    if isHeard { isHeard = Self.flush(&output, .main, &transport) }
    _ = Self.flush(&snapshotOutput, .snapshot, &transport)
  }

  /// False: nothing more is taken.
  private static func flush(
    _ output: inout ByteBuffer, _ channel: LinkChannel, _ transport: inout Transport
  ) -> Bool {
    do throws(LinkError) {
      while !output.isEmpty {
        let transfer = try output.withBytes { bytes throws(LinkError) in
          try transport.send(channel, bytes)
        }
        guard case .bytes(let count) = transfer else { break }
        output.removeFirst(count)
      }
      return true
    } catch {
      return false
    }
  }

  private mutating func wait(
    reads: [LinkChannel], atMostMilliseconds limit: Int64 = .max, gatherMicroseconds: UInt32 = 0
  ) {
    carryOut()
    if machine.want == .nothing { return }
    flush()
    var writes: [LinkChannel] = []
    if isHeard && !output.isEmpty { writes.append(.main) }
    if !snapshotOutput.isEmpty { writes.append(.snapshot) }
    let now = transport.nowMilliseconds
    let deadline = min(machine.deadlineMilliseconds, now + min(limit, .max - now))
    transport.wait(
      reads: reads, writes: writes, untilMilliseconds: deadline,
      gatherMicroseconds: gatherMicroseconds)
  }
}
