// One of the spool's two queues: a run of bytes with positions, in blocks of memory and disk. Grows at
// the end, may be cut there, and lets go of whole blocks at the front. Knows no lock and no limit.
//
//      head                                                end
//       ▼                                                   ▼
//      [chunk][chunk][segment            ][chunk][chunk…    ]

/// A run of bytes from `head` to `end`, addressed by position.
struct SpoolQueue {
  /// Where a block keeps its bytes.
  enum Storage {
    case chunk(SpoolChunk)
    case segment(SpoolSegment)
  }

  /// A part of the run.
  struct Block {
    var start: UInt64
    var count = 0
    let capacity: Int
    let storage: Storage

    var end: UInt64 { start + UInt64(count) }
    var isSegment: Bool {
      if case .segment = storage { true } else { false }
    }
    var room: Int { capacity - count }
  }

  private(set) var blocks: ContiguousArray<Block> = []
  /// The position behind the last byte.
  private(set) var end: UInt64
  private(set) var memoryBytes: UInt64 = 0
  private(set) var diskBytes: UInt64 = 0
  private(set) var chunkCount = 0

  /// An empty run at `position`.
  init(at position: UInt64) { end = position }

  /// The position of the first byte held.
  var head: UInt64 { blocks.first?.start ?? end }

  /// The position behind the last byte that is on disk; 0 when none is.
  var segmentsEnd: UInt64 { blocks.last { $0.isSegment && $0.count > 0 }?.end ?? 0 }

  /// The block that holds the byte at `position`; nil when none does.
  func block(at position: UInt64) -> Block? {
    guard position >= head, position < end else { return nil }
    var low = 0
    var high = blocks.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if blocks[middle].start <= position { low = middle } else { high = middle }
    }
    return blocks[low]
  }

  // MARK: - At the end

  mutating func append(_ storage: Storage, capacity: Int) {
    let block = Block(start: end, capacity: capacity, storage: storage)
    if !block.isSegment { chunkCount += 1 }
    blocks.append(block)
  }

  /// Bytes have been put into the last block.
  mutating func commit(_ count: Int) {
    blocks[blocks.count - 1].count += count
    end += UInt64(count)
    account(blocks[blocks.count - 1], count)
  }

  /// Takes bytes off the end, so that it comes to `position`. Gives the blocks that held only such.
  mutating func cut(to position: UInt64) -> [Block] {
    var dropped: [Block] = []
    while let last = blocks.last, last.end > position {
      if last.start >= position {
        dropped.append(blocks.removeLast())
        account(last, -last.count)
        if !last.isSegment { chunkCount -= 1 }
      } else {
        let extra = Int(last.end - position)
        blocks[blocks.count - 1].count -= extra
        account(last, -extra)
      }
    }
    end = min(end, position)
    return dropped
  }

  // MARK: - At the front

  /// Lets go of the first block if it ends at or before `position` and something follows it.
  mutating func dropFirst(upTo position: UInt64) -> Block? {
    guard blocks.count > 1, blocks[0].end <= position else { return nil }
    let first = blocks.removeFirst()
    account(first, -first.count)
    if !first.isSegment { chunkCount -= 1 }
    return first
  }

  /// Lets go of everything.
  mutating func removeAll() -> ContiguousArray<Block> {
    defer { self = SpoolQueue(at: end) }
    return blocks
  }

  private mutating func account(_ block: Block, _ change: Int) {
    if block.isSegment {
      diskBytes = UInt64(Int64(diskBytes) + Int64(change))
    } else {
      memoryBytes = UInt64(Int64(memoryBytes) + Int64(change))
    }
  }
}
