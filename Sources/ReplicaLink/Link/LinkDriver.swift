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
      let isListening = step()
      machine.tick(now: transport.nowMilliseconds, isListening: isListening)
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
    } else if let reason = control.takeSnapshotRequest(generation: spool.currentGeneration) {
      machine.requestSnapshot(reason, now: transport.nowMilliseconds)
    }
    carryOut()
  }

  private mutating func carryOut() {
    for effect in machine.takeEffects() {
      switch effect {
      case .disconnect:
        transport.disconnect()
        output.removeAll()
        line.removeAll()
      case .send(let bytes): output.append(bytes.span)
      case .beginSnapshot(let start, let reason):
        spool.beginSnapshot(start, reason: reason)
        control.forgetApplied()
      case .finishSnapshot(let markBytes): spool.finishSnapshot(markBytes: markBytes)
      case .beginStream(let place): spool.beginStream(place)
      case .continueStream(let boundary, let identity):
        spool.continueStream(from: boundary, replicationID: identity)
      case .end(let error): spool.end(error)
      }
    }
  }

  /// Does what the machine wants, or waits for the means to. False: the source was not listened to,
  /// for want of room.
  private mutating func step() -> Bool {
    switch machine.want {
    case .nothing: return true
    case .connect:
      connect()
      return true
    case .pause(let until):
      transport.wait(reads: false, writes: false, untilMilliseconds: until)
      return true
    case .line:
      if !receiveLine() { wait(reads: true) }
      return true
    case .snapshot(let limit): return receive(.snapshot, atMost: limit)
    case .stream: return receive(.stream, atMost: .max)
    }
  }

  private mutating func connect() {
    do throws(LinkError) {
      let peer = try transport.connect()
      isHeard = true
      machine.connected(peer, now: transport.nowMilliseconds)
    } catch {
      machine.lost(error, now: transport.nowMilliseconds)
    }
  }

  // MARK: - Lines

  /// Reads byte by byte, so that nothing behind the last line is taken from the snapshot. False: the
  /// line has not come whole.
  private mutating func receiveLine() -> Bool {
    var byte: UInt8 = 0
    do throws(LinkError) {
      while byte != 10 {
        let transfer = try withUnsafeMutableBytes(of: &byte) { room throws(LinkError) in
          try transport.receive(into: room)
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
    let text = String(decoding: line, as: UTF8.self)
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

  private mutating func receive(_ kind: Spool.Kind, atMost limit: UInt64) -> Bool {
    var transfer = Socket.Transfer.wouldBlock
    var hasRoom = true
    do throws(LinkError) {
      hasRoom = try spool.produce(kind, atMost: limit) { room throws(LinkError) -> Int in
        transfer = try transport.receive(into: room)
        guard case .bytes(let count) = transfer else { return 0 }
        let bytes = UnsafeRawBufferPointer(rebasing: room[..<count])
        return machine.received(bytes, now: transport.nowMilliseconds) ? count : 0
      }
      if transfer == .endOfStream { throw closed }
    } catch {
      machine.lost(error, now: transport.nowMilliseconds)
      return true
    }
    if hasRoom && transfer == .wouldBlock { machine.paused() }
    acknowledge()
    if transfer == .wouldBlock { wait(reads: hasRoom) }
    return hasRoom
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
    while !output.isEmpty && isHeard {
      do throws(LinkError) {
        let transfer = try output.withBytes { bytes throws(LinkError) in
          try transport.send(bytes)
        }
        guard case .bytes(let count) = transfer else { return }
        output.removeFirst(count)
      } catch {
        isHeard = false
      }
    }
  }

  private mutating func wait(reads: Bool) {
    carryOut()
    if machine.want == .nothing { return }
    flush()
    transport.wait(
      reads: reads, writes: isHeard && !output.isEmpty,
      untilMilliseconds: machine.deadlineMilliseconds)
  }
}
