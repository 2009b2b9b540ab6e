// A batch: commands on their way to the destination over one connection, with what is needed to
// say later which of them failed. Batches are reused; the steady state allocates nothing.

import ReplicaLink

/// Encoded commands and the number of replies they will have.
///
/// `@unchecked Sendable`: a batch has one owner at a time, first the replay thread that fills it,
/// then, handed over under the run's monitor, the pipeline that sends it; `boundaryOffset` is only
/// touched under that monitor once the batch was handed over.
final class Batch: @unchecked Sendable {
  /// A batch this large is sent without waiting for more, in bytes.
  static let targetBytes = 128 << 10
  /// A batch whose buffer has grown beyond this is not kept for reuse, in bytes.
  static let keptBytesMax = 1 << 20

  /// The commands.
  var bytes = ByteBuffer(capacity: Batch.targetBytes + (8 << 10))
  /// How many commands, and so replies.
  var commandCount = 0
  /// How many of them write a snapshot key.
  var keyCount = 0
  /// Of a loader's batch, the source's db that its keys come from; of the lane's, the destination's db
  /// that is selected where it begins.
  var database = 0
  /// The command that gives a value built under another name its own, and that name.
  var move: (index: Int, key: [UInt8])?
  /// Bytes of the string of which it carries a part, when the string is too large for one command; or 0.
  var stringLength: UInt64 = 0
  /// When the batch begins inside a command that an earlier one began: that command's first arguments,
  /// and how many bytes of it there are here.
  var lead: (head: [[UInt8]], byteCount: Int)?
  /// The stream offset that is applied once this batch is, outside of any transaction; 0 for none.
  var boundaryOffset: UInt64 = 0
  /// The number of the checkpoint that is safe at the destination once this batch is answered; 0 for none.
  var checkpointNumber: UInt64 = 0
  /// Whether its commands build on each other, so that none can be sent again by itself.
  var isOrdered = false
  /// Whether it begins a value that is built by such commands, so that they can all be sent again from it.
  var beginsValue = false
  /// Whether it goes on with such a value: behind the SELECT it asks whether what came before is still there.
  var continuesValue = false
  /// Whether its commands overwrite what is there, because they are sent again.
  var isOverwriting = false
  /// Whether this is a PING of the pipeline itself.
  var isKeepAlive = false
  /// Whether what comes next belongs to the command or the transaction that this batch ends in.
  var isOpenEnded = false
  /// What the replies of the transaction that ends here have to say, by their place in it.
  var expectations: ContiguousArray<(index: Int, expectation: ReplyExpectation)> = []
  /// The commands of that transaction that are right only if they arrive in time, by their place in it.
  var timely: ContiguousArray<Int> = []
  /// When the oldest command of it was written at the source, at the earliest, on the monotonic clock;
  /// `.max` where none of it can be too old.
  var writtenMilliseconds = Int64.max
  /// Where each command ends in the stream, when the batch came from there.
  var commandOffsets: ContiguousArray<UInt64> = []

  var isEmpty: Bool { commandCount == 0 }
  var isFull: Bool { bytes.count >= Self.targetBytes }

  func reset() {
    bytes.removeAll()
    commandCount = 0
    keyCount = 0
    database = 0
    move = nil
    stringLength = 0
    lead = nil
    boundaryOffset = 0
    checkpointNumber = 0
    isOpenEnded = false
    isOrdered = false
    expectations.removeAll(keepingCapacity: true)
    timely.removeAll(keepingCapacity: true)
    writtenMilliseconds = .max
    beginsValue = false
    continuesValue = false
    isOverwriting = false
    commandOffsets.removeAll(keepingCapacity: true)
  }
}

/// Finds single commands in a batch again, in rising order, when a reply says that one failed.
struct BatchCursor {
  private var index = 0
  private var position = 0

  /// The first arguments of command number `target`, at most `count`; targets never go down.
  mutating func arguments(of target: Int, in batch: Batch, first count: Int = 2) -> [[UInt8]] {
    if index == 0, let lead = batch.lead {
      index = 1
      position = lead.byteCount
      if target == 0 { return Array(lead.head.prefix(count)) }
    }
    return batch.bytes.withBytes { bytes in
      var found: [[UInt8]] = []
      while index <= target {
        found.removeAll()
        let arguments = Self.header(bytes, &position)
        for argument in 0..<arguments {
          let length = Self.header(bytes, &position)
          if index == target && argument < count {
            found.append(Array(bytes[position..<position + length]))
          }
          position += length + 2
        }
        index += 1
      }
      return found
    }
  }

  /// Where in the batch's bytes command number `target` lies; targets never go down.
  mutating func range(of target: Int, in batch: Batch) -> Range<Int> {
    if target > index { _ = arguments(of: target - 1, in: batch, first: 0) }
    let start = position
    _ = arguments(of: target, in: batch, first: 0)
    return start..<position
  }

  /// Reads `*n` or `$n`. The bytes are this program's own, complete and well formed.
  private static func header(_ bytes: UnsafeRawBufferPointer, _ position: inout Int) -> Int {
    var value = 0
    position += 1
    while bytes[position] != 13 {
      value = value * 10 + Int(bytes[position] - 48)
      position += 1
    }
    position += 2
    return value
  }
}
