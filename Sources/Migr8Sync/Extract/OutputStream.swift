// OutputStream: what a format writes to. Small pieces are gathered in a block; full blocks go to the
// thread that writes them.
//
// An entry of which a part was handed over can still be taken back, when its value turns out to be
// damaged: the place before it is marked.

import ReplicaLink

/// One output of a run. For one thread.
struct OutputStream: ~Copyable {
  /// The size at which a block is handed over, in bytes.
  static let blockBytes = 1 << 20

  /// What is being filled. It lies here and not in a block, whose every use would be looked at for
  /// overlapping access.
  private var bytes = OutputBlock.emptyBytes()
  /// An empty block, to hand it over in.
  private var block = OutputBlock()
  private let target: OutputTarget
  private let writer: BlockWriter
  private let sumsUp: Bool
  /// Where in the block the present entry begins; nil when the beginning was handed over.
  private var entryStart: Int? = 0

  /// - Parameters:
  ///   - target: where it goes.
  ///   - sumsUp: whether the output ends with its CRC-64.
  init(_ target: OutputTarget, sumsUp: Bool = false) {
    self.target = target
    self.sumsUp = sumsUp
    writer = BlockWriter(target.descriptor, sumsUp: sumsUp)
    writer.start()
  }

  /// Lets `body` append.
  @inline(__always)
  mutating func write<E: Error>(_ body: (inout ByteBuffer) throws(E) -> Void) throws(E) {
    try body(&bytes)
  }

  /// Begins an entry; what was begun before is complete.
  mutating func beginEntry() throws(ReplayError) {
    if bytes.count >= Self.blockBytes { try handOver() }
    entryStart = bytes.count
  }

  /// In the middle of an entry: hands over what is full.
  mutating func spill() throws(ReplayError) {
    guard bytes.count >= Self.blockBytes else { return }
    if let start = entryStart {
      // What stands before the entry goes alone, so that the place behind it can be marked.
      var rest = ByteBuffer(capacity: OutputStream.blockBytes * 2)
      bytes.withBytes(from: start) { rest.append($0) }
      bytes.truncate(to: start)
      block.isMarked = true
      try handOver()
      bytes = rest
      entryStart = nil
    }
    try handOver()
  }

  /// Takes the present entry back.
  mutating func rewindEntry() throws(ReplayError) {
    if let start = entryStart {
      bytes.truncate(to: start)
      return
    }
    guard target.canRewind else {
      throw ReplayError(
        "a part of the damaged value is on \(target.name) already (write to a file with -o)")
    }
    let failure = writer.rewind()
    if failure != 0 { throw target.failed("writing", failure) }
    bytes.removeAll()
    entryStart = 0
  }

  /// Completes the output; a file waits beside its name.
  mutating func finish() throws(ReplayError) {
    try handOver()
    let (checksum, failure) = writer.close()
    if failure != 0 { throw target.failed("writing", failure) }
    if sumsUp {
      var trailer = ByteBuffer(capacity: 64)
      for index in 0..<8 {
        trailer.append(byte: UInt8(truncatingIfNeeded: checksum >> UInt64(8 * index)))
      }
      let failure = BlockWriter.write(trailer, to: target.descriptor)
      if failure != 0 { throw target.failed("writing", failure) }
    }
    try target.secure()
  }

  /// Makes the complete output appear under its name.
  mutating func publish() throws(ReplayError) { try target.publish() }

  /// Removes what was written.
  mutating func abandon() {
    _ = writer.close()
    target.abandon()
  }

  private mutating func handOver() throws(ReplayError) {
    swap(&bytes, &block.bytes)
    let (next, failure) = writer.exchange(block)
    block = next
    if failure != 0 { throw target.failed("writing", failure) }
  }
}
