// How much of what is applied is acknowledged: all but the last byte that was received, as a rule. A
// state machine without I/O; the time is a parameter.
//
// FAILOVER chooses a replica whose acknowledged offset equals the source's own, and one that listens
// on no port makes the source give itself up for nothing (tried: 6.2, 7.0, 8.2, Valkey 8.1). One byte
// less, and it is passed over. WAIT does not notice: it asks with GETACK, whose 37 bytes lie behind the
// write that is waited for. From 7.0 SHUTDOWN waits for equality too, up to shutdown-timeout; but it
// sends a GETACK and then nothing, which FAILOVER never does, so then the byte is given.

/// Decides what an acknowledgement says.
struct WithheldByte: Sendable {
  /// How long the source says nothing behind a GETACK until it must be shutting down. A real replica
  /// acknowledges once a second and is chosen by FAILOVER before that.
  static let quietMilliseconds: Int64 = 2_000
  /// What asks for an acknowledgement, in the only form that sources send.
  private static let question = Array("*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n".utf8)

  private var tail: [UInt8] = []
  private var heardMilliseconds: Int64

  /// Begins with a link.
  init(now: Int64) {
    heardMilliseconds = now
  }

  /// Takes note of bytes of the stream just received.
  mutating func received(_ bytes: UnsafeRawBufferPointer, now: Int64) {
    heardMilliseconds = now
    if bytes.count >= Self.question.count {
      tail = Array(bytes.suffix(Self.question.count))
    } else {
      tail.append(contentsOf: bytes)
      tail.removeFirst(max(0, tail.count - Self.question.count))
    }
  }

  /// The offset to acknowledge.
  ///
  /// - Parameters:
  ///   - applied: everything up to here is applied at every destination.
  ///   - received: everything up to here was received.
  func acknowledged(applied: UInt64, received: UInt64, now: Int64) -> UInt64 {
    guard applied >= received, applied > 0 else { return applied }
    let isShuttingDown =
      tail == Self.question && now - heardMilliseconds >= Self.quietMilliseconds
    return isShuttingDown ? received : received - min(received, 1)
  }
}
