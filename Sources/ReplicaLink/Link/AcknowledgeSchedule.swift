// When the link sends REPLCONF ACK: once a second, when asked, and repeatedly once a marked snapshot
// has ended. A state machine without I/O; the time is a parameter.
//
// A source that sent an `$EOF:` framed snapshot sends nothing more until an ACK arrives, and an ACK
// that arrives before it has noticed the end of its child process counts for nothing; it looks for
// that ten times a second. So the ACK is repeated until the stream's first byte. Meanwhile the
// source queues every write for us, and drops us when they exceed its output buffer limit.

/// Says when an acknowledgement is due.
struct AcknowledgeSchedule: Sendable {
  /// The time between acknowledgements in general.
  static let intervalMilliseconds: Int64 = 1_000
  /// The time between them while the source may be waiting for the first.
  static let eagerIntervalMilliseconds: Int64 = 10
  /// How long that is kept up: an idle source has nothing to send for seconds.
  static let eagerMilliseconds: Int64 = 3_000

  private let mark: [UInt8]?
  private var tail: [UInt8] = []
  private var due: Int64
  private var eagerUntil: Int64?

  /// A schedule that begins with the snapshot, or without one with the stream.
  init(framing: SnapshotStart.Framing?, now: Int64) {
    if case .mark(let mark) = framing { self.mark = mark } else { mark = nil }
    due = now + Self.intervalMilliseconds
  }

  /// Whether everything received so far ends with the mark.
  var isAtMark: Bool { mark.map { $0 == tail } ?? false }

  /// Takes note of bytes just received.
  ///
  /// Everything received so far ending with the mark is a hint, not a proof, that the snapshot is
  /// over: the mark may occur in the data. It is enough here, an ACK too many does no harm.
  mutating func received(_ bytes: UnsafeRawBufferPointer, now: Int64) {
    guard let mark else { return }
    if bytes.count >= mark.count {
      tail = Array(bytes.suffix(mark.count))
    } else {
      tail.append(contentsOf: bytes)
      tail.removeFirst(max(0, tail.count - mark.count))
    }
    if tail == mark {
      eagerUntil = now + Self.eagerMilliseconds
      due = now
    } else {
      eagerUntil = nil
    }
  }

  /// Whether an acknowledgement is to be sent now; if so the next one is scheduled.
  mutating func take(isAsked: Bool, now: Int64) -> Bool {
    guard isAsked || now >= due else { return false }
    if let until = eagerUntil, now < until {
      due = now + Self.eagerIntervalMilliseconds
    } else {
      eagerUntil = nil
      due = now + Self.intervalMilliseconds
    }
    return true
  }

  /// When the next one is due.
  var dueMilliseconds: Int64 { due }
}
