// Pulse: how old can a command of the stream be? The source is asked again and again how far its stream
// has come. What lies behind the answer was written after the question: so much is certain, whatever
// buffers the command waited in, at the source, on the way, or here.

/// The last few answers. Offsets are those of one history.
struct Pulse: Sendable, Equatable {
  /// Answers that are kept. Older ones could only say that a command is old.
  static let beatsMax = 32

  private var beats: [(offset: UInt64, milliseconds: Int64)] = []

  /// The source's stream had come to `offset` at some time after `milliseconds`.
  mutating func note(offset: UInt64, milliseconds: Int64) {
    // An offset that goes down is of another history.
    if let last = beats.last, last.offset > offset { beats = [] }
    if beats.count == Self.beatsMax { beats.removeFirst() }
    beats.append((offset, milliseconds))
  }

  /// The time after which the command that begins at `offset` was written; `nil` when nothing is known.
  func earliest(at offset: UInt64) -> Int64? {
    beats.last { $0.offset <= offset }?.milliseconds
  }

  static func == (one: Self, other: Self) -> Bool {
    one.beats.elementsEqual(other.beats) { $0 == $1 }
  }
}
