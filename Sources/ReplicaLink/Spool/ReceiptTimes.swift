// When each byte of the link arrived: what lag in milliseconds is measured by, and the moment from
// which a relative time to live counts.

/// A compact map from byte positions to arrival times.
struct ReceiptTimes: Sendable {
  /// Arrivals this close together share one entry.
  static let resolutionMilliseconds: Int64 = 2
  /// Beyond this many entries every other one is merged with its neighbour.
  static let entriesMax = 1 << 16

  private struct Entry {
    /// The position behind the last byte of this entry.
    var end: UInt64
    /// When its first byte arrived, on the wall clock.
    var wallMilliseconds: Int64
  }

  private var entries: ContiguousArray<Entry> = []
  private var first = 0

  /// Notes that everything before `end` has arrived by now.
  mutating func note(end: UInt64, wallMilliseconds now: Int64) {
    if let last = entries.last, entries.count > first,
      now - last.wallMilliseconds < Self.resolutionMilliseconds, now >= last.wallMilliseconds
    {
      entries[entries.count - 1].end = end
      return
    }
    entries.append(Entry(end: end, wallMilliseconds: now))
    if entries.count - first > Self.entriesMax { thin() }
  }

  /// When the byte at `position` arrived; nil when it has not, or was forgotten.
  func wallMilliseconds(at position: UInt64) -> Int64? {
    var low = first
    var high = entries.count
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].end > position { high = middle } else { low = middle + 1 }
    }
    return low < entries.count ? entries[low].wallMilliseconds : nil
  }

  /// Drops what lies wholly before `position`.
  mutating func forget(before position: UInt64) {
    while first < entries.count && entries[first].end <= position { first += 1 }
    if first > 1024 && first * 2 > entries.count {
      entries.removeFirst(first)
      first = 0
    }
  }

  /// Halves the entries. A merged entry keeps the earlier time, so nothing looks younger than it is.
  private mutating func thin() {
    var kept: ContiguousArray<Entry> = []
    var index = first
    while index < entries.count {
      let next = min(index + 1, entries.count - 1)
      kept.append(
        Entry(end: entries[next].end, wallMilliseconds: entries[index].wallMilliseconds))
      index += 2
    }
    entries = kept
    first = 0
  }
}
