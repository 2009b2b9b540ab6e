// The link's way through the handshake: the lines and bytes that the state machine of
// ReplicaHandshake wants moved. Runs on the link thread.

import Glibc

extension ReplicaLink {
  /// Holds the conversation up to the snapshot's first byte.
  func shakeHands(_ socket: borrowing Socket) throws(LinkError) -> SnapshotStart {
    var handshake = ReplicaHandshake(credentials: source.credentials, peer: socket.peer)
    var action = handshake.begin()
    while true {
      switch action {
      case .send(let bytes): try send(bytes, socket)
      case .wait: break
      case .accepted: enter(.waitingForSnapshot)
      case .snapshot(let start): return start
      case .fail(let error): throw error
      }
      action = handshake.receive(try readLine(socket))
    }
  }

  /// Reads byte by byte, so that nothing behind the last line is taken from the snapshot.
  private func readLine(_ socket: borrowing Socket) throws(LinkError) -> String {
    let action = "attaching to \(socket.peer) as a replica"
    let deadline = Clock.monotonicMilliseconds() + timeouts.ioMilliseconds
    var line: [UInt8] = []
    var byte: UInt8 = 0
    while byte != 10 {
      let transfer = try withUnsafeMutableBytes(of: &byte) { room throws(LinkError) in
        try socket.receive(into: room)
      }
      switch transfer {
      case .bytes:
        line.append(byte)
        guard line.count <= ReplicaHandshake.lineBytesMax else {
          throw LinkError(
            .notRedis, action, "its answer has no end", advice: "check the host and the port")
        }
      case .endOfStream:
        throw LinkError(.closed, action, "it closed the connection", advice: "see the source's log")
      case .wouldBlock:
        guard try socket.wait(for: Int32(POLLIN), untilMilliseconds: deadline, interrupt: stopBell)
        else {
          throw LinkError(
            .timedOut, action, "no answer within \(timeouts.ioMilliseconds) ms",
            advice: "is it a Redis or Valkey server, and is it alive?")
        }
      }
    }
    // A source that sends keep-alives without a pause never lets the loop above wait.
    try throwIfStopping()
    line.removeLast()
    if line.last == 13 { line.removeLast() }
    return String(decoding: line, as: UTF8.self)
  }

  private func send(_ bytes: [UInt8], _ socket: borrowing Socket) throws(LinkError) {
    var output = ByteBuffer(capacity: bytes.count)
    output.append(bytes.span)
    let deadline = Clock.monotonicMilliseconds() + timeouts.ioMilliseconds
    while !output.isEmpty {
      let transfer = try output.withBytes { bytes throws(LinkError) in try socket.send(bytes) }
      if case .bytes(let count) = transfer {
        output.removeFirst(count)
        continue
      }
      guard try socket.wait(for: Int32(POLLOUT), untilMilliseconds: deadline, interrupt: stopBell)
      else { throw LinkError(.timedOut, "talking to \(socket.peer)", "it takes no bytes") }
    }
  }
}
