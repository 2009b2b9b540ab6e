// Analysis: everything that analyze counts, in memory that does not grow with the file.

import RDBParser
import ReplicaLink

/// The numbers about a file.
struct Analysis: Sendable {
  /// One of the biggest keys.
  struct BigKey: Sendable {
    var key: [UInt8]
    var database: Int
    var type: RDBType
    var bytes: UInt64
    var memory: UInt64
    var expiryMilliseconds: Int64?
  }

  /// How many of the biggest keys are kept.
  static let biggestMax = 30
  /// The longest part of a big key's name that is kept, in bytes.
  private static let keyBytesMax = 1 << 10
  /// The keys from which separators are guessed: how many, and how many bytes of them at most.
  private static let sampleMax = 4096
  private static let sampleBytesMax = 1 << 20
  /// The classes of time to live, by what is left, in milliseconds.
  static let lifetimes: [(name: String, below: Int64)] = [
    ("expired", 1), ("< 1 minute", 60_000), ("< 1 hour", 3_600_000), ("< 1 day", 86_400_000),
    ("< 7 days", 604_800_000), ("< 30 days", 2_592_000_000), ("< 1 year", 31_536_000_000),
    ("1 year and more", .max),
  ]
  /// How many hours the histogram of expiries has.
  static let hoursMax = 31 * 24

  let now: Int64
  private(set) var total = PrefixTally()
  private(set) var byType: [UInt8: (type: RDBType, tally: PrefixTally)] = [:]
  private(set) var byDatabase: [Int: PrefixTally] = [:]
  private(set) var byLifetime = [PrefixTally](repeating: PrefixTally(), count: lifetimes.count)
  private(set) var persistent = PrefixTally()
  /// Keys that expire in each of the next hours.
  private(set) var byHour = [UInt64](repeating: 0, count: hoursMax)
  /// The biggest first.
  private(set) var biggest: [BigKey] = []
  private(set) var separators: [UInt8]
  private(set) var tree: PrefixTree
  /// Keys from before the separators are known.
  private var sample: [(key: [UInt8], tally: PrefixTally)] = []
  private var sampleBytes = 0
  private var isSampling: Bool
  private var typeTallies = [PrefixTally](repeating: PrefixTally(), count: 256)
  private var database = -1
  private var databaseTally = PrefixTally()
  private var header = RDBHeader(family: .redis, version: 6)

  /// - Parameters:
  ///   - separators: nil to guess them.
  ///   - now: the time from which lifetimes count, in milliseconds since 1970.
  init(separators: [UInt8]?, now: Int64) {
    self.now = now
    self.separators = separators ?? []
    isSampling = separators == nil
    tree = PrefixTree(separators: separators ?? [])
  }

  mutating func begin(_ header: RDBHeader) { self.header = header }

  /// Counts a key. Cost: no allocation, unless the key is among the biggest.
  mutating func add(
    _ entry: RDBEntry, key: Span<UInt8>, _ size: EntrySize
  ) {
    var tally = PrefixTally(keys: 1, bytes: size.bytes, memory: size.memory)
    if let expiry = entry.expiryMilliseconds {
      tally.expiring = 1
      addExpiry(expiry, tally)
    } else {
      persistent.add(tally)
    }
    total.add(tally)
    typeTallies[Int(entry.type.rawValue)].add(tally)
    if entry.database != database { changeDatabase(entry.database) }
    databaseTally.add(tally)
    addBig(entry, key, tally)
    if isSampling {
      addToSample(key, tally)
    } else {
      tree.add(key, tally)
    }
  }

  /// Completes the numbers.
  mutating func end() {
    if isSampling { endSampling() }
    changeDatabase(-1)
    for (number, tally) in typeTallies.enumerated() where tally.keys > 0 {
      let type = RDBType(rawValue: UInt8(number), family: header.family)
      byType[UInt8(number)] = (type, tally)
    }
  }

  /// Makes the numbers of a sample, which are complete, those of the whole; single keys stay as they are.
  mutating func scale(_ weight: Double) {
    total.scale(weight)
    persistent.scale(weight)
    tree.scale(weight)
    for key in byType.keys { byType[key]?.tally.scale(weight) }
    for key in byDatabase.keys { byDatabase[key]?.scale(weight) }
    for index in byLifetime.indices { byLifetime[index].scale(weight) }
    byHour = byHour.map { $0.scaled(weight) }
  }

  private mutating func changeDatabase(_ number: Int) {
    if database >= 0 { byDatabase[database, default: PrefixTally()].add(databaseTally) }
    database = number
    databaseTally = PrefixTally()
  }

  private mutating func addExpiry(_ expiry: Int64, _ tally: PrefixTally) {
    let (left, overflows) = expiry.subtractingReportingOverflow(now)
    let rest = overflows ? (expiry < 0 ? 0 : Int64.max) : left
    let place = Self.lifetimes.firstIndex { rest < $0.below } ?? Self.lifetimes.count - 1
    byLifetime[place].add(tally)
    let hour = rest / 3_600_000
    if rest > 0, hour < Int64(Self.hoursMax) { byHour[Int(hour)] += 1 }
  }

  private mutating func addBig(_ entry: RDBEntry, _ key: Span<UInt8>, _ tally: PrefixTally) {
    if biggest.count == Self.biggestMax {
      guard let smallest = biggest.last, tally.memory > smallest.memory else { return }
      biggest.removeLast()
    }
    let shown = key.extracting(first: Self.keyBytesMax)
    let big = BigKey(
      key: shown.withUnsafeBufferPointer { Array($0) }, database: entry.database, type: entry.type,
      bytes: tally.bytes, memory: tally.memory, expiryMilliseconds: entry.expiryMilliseconds)
    let place = biggest.firstIndex { $0.memory < big.memory } ?? biggest.endIndex
    biggest.insert(big, at: place)
  }

  private mutating func addToSample(_ key: Span<UInt8>, _ tally: PrefixTally) {
    sample.append((key.withUnsafeBufferPointer { Array($0) }, tally))
    sampleBytes += key.count
    if sample.count == Self.sampleMax || sampleBytes > Self.sampleBytesMax { endSampling() }
  }

  private mutating func endSampling() {
    isSampling = false
    var guess = SeparatorGuess()
    for (key, _) in sample { guess.add(key.span) }
    separators = guess.separators
    tree = PrefixTree(separators: separators)
    for (key, tally) in sample { tree.add(key.span, tally) }
    sample = []
  }

  /// The prefix that a run would move: the biggest one, unless nearly everything is below it, then the
  /// biggest one there.
  static func choice(in root: PrefixTree.Branch) -> PrefixTree.Branch? {
    var branch = root
    while let first = branch.children.first {
      if first.tally.memory < branch.tally.memory / 10 * 9 { return first }
      branch = first
    }
    return branch.prefix.isEmpty ? nil : branch
  }

  /// The command that moves a prefix away from `source`; nil where none can name the prefix.
  static func command(for prefix: [UInt8], at source: String) -> String? {
    guard let text = ShellWord.text(prefix) else { return nil }
    let word = ShellWord.quoted(text)
    return "migr8sync sync -s \(ShellWord.quoted(source)) -d redis://NEW:6379"
      + (text.hasPrefix("-") ? " --prefix=\(word)" : " -p \(word)")
  }

  /// The line of a configuration file that names any prefix.
  static func configLine(for prefix: [UInt8]) -> String {
    "prefix \(ShellWord.configWord(prefix))"
  }
}
