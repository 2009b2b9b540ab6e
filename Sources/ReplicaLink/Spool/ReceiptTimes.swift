// When each byte of the link arrived: what lag in milliseconds is measured by, and the moment from
// which a relative time to live counts.

/// A compact map from byte positions to arrival times.
struct ReceiptTimes: Sendable {
  /// Arrivals this close together share one entry, as long as there is room.
  static let resolutionMilliseconds: Int64 = 1
  /// Beyond this many entries they get coarser, all alike: by about 2^-15 of the time that is covered,
  /// a tenth of a second in an hour.
  static let entriesMax = 1 << 17

  private struct Entry {
    /// The position behind the last byte of this entry.
    var end: UInt64
    /// When its first byte arrived, on the wall clock.
    var wallMilliseconds: Int64
  }

  private var entries: ContiguousArray<Entry> = []
  private var first = 0
  /// How far apart arrivals must be, at present, to have entries of their own.
  private var resolution = Self.resolutionMilliseconds
  /// Everything before this position is forgotten.
  private var start: UInt64 = 0

  /// An empty map of bytes from `position` on.
  init(from position: UInt64 = 0) { start = position }

  /// How many times are kept.
  var entryCount: Int { entries.count - first }

  /// Notes that everything before `end` has arrived by now.
  mutating func note(end: UInt64, wallMilliseconds now: Int64) {
    if let last = entries.last, entries.count > first,
      now - last.wallMilliseconds < resolution, now >= last.wallMilliseconds
    {
      entries[entries.count - 1].end = end
      return
    }
    entries.append(Entry(end: end, wallMilliseconds: now))
    if entries.count - first > Self.entriesMax { thin() }
  }

  /// When the byte at `position` arrived; nil when it has not, or was forgotten.
  func wallMilliseconds(at position: UInt64) -> Int64? {
    guard position >= start else { return nil }
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
    while first < entries.count && entries[first].end <= position {
      start = entries[first].end
      first += 1
    }
    if first > 1024 && first * 2 > entries.count {
      entries.removeFirst(first)
      first = 0
    }
    if entries.count - first < Self.entriesMax / 8 { resolution = Self.resolutionMilliseconds }
  }

  /// The bytes from `position` on have not arrived after all: others will, in their place.
  mutating func cut(to position: UInt64) {
    while entries.count > first, let last = entries.last, last.end > position {
      let start = entries.count - 1 > first ? entries[entries.count - 2].end : self.start
      if start < position {
        entries[entries.count - 1].end = position
        return
      }
      entries.removeLast()
    }
  }

  /// Merges neighbours closer than a resolution made coarser, until half of the room is free.
  /// Merged entries keep the earliest time, so nothing looks younger than it is, and entries on
  /// either side of a pause stay apart.
  private mutating func thin() {
    while entries.count - first > Self.entriesMax / 2 {
      resolution *= 2
      var kept: ContiguousArray<Entry> = []
      for entry in entries[first...] {
        if let last = kept.last, abs(entry.wallMilliseconds - last.wallMilliseconds) < resolution {
          kept[kept.count - 1] = Entry(
            end: entry.end, wallMilliseconds: min(last.wallMilliseconds, entry.wallMilliseconds))
        } else {
          kept.append(entry)
        }
      }
      entries = kept
      first = 0
    }
  }
}
