// Compares a source with a destination while both are in use: what is to be compared and in which order.
//
//   SCAN of the source ─▶ sizes of both ─▶ DUMPs of both ─▶ same? ─▶ done
//                              │ large: in pieces             └─▶ suspects ─▶ Verifier+Suspects.swift
//   SCAN of the destination ─▶ EXISTS at the source ─▶ extra? ────┘
//
// On the caller's thread; another one may follow it and end it through VerifyProgress. Memory: a page of
// keys, `groupBytesMax` of values from each end, and the suspects.

import RDBParser
import ReplicaLink

/// One comparison of one destination.
struct Verifier: ~Copyable {
  /// Keys asked for at once.
  static let batchKeysMax = 512
  /// Values larger than this are compared in pieces, in bytes of a server's memory.
  static let largeBytes: UInt64 = 4 << 20
  /// Values that are fetched at once, in bytes of a server's memory.
  static let groupBytesMax: UInt64 = 8 << 20
  /// Differences that are kept to be mended.
  static let foundMax = 1_000_000

  let plan: VerifyPlan
  let progress: VerifyProgress
  let onDifference: (Difference) -> Void
  let onUndecided: (KeyName) -> Void
  var pair: PairReader
  var book = SuspectBook()
  /// What differs, when it is to be mended.
  var found: [Difference] = []
  /// What differs and is not in `found`: the other destinations', and what did not fit.
  var otherDifferences: [DifferenceCause: UInt64]
  /// When suspects were decided last, in milliseconds on the monotonic clock.
  var settledMilliseconds = Clock.monotonicMilliseconds()
  private var pace: Pace
  private var place: VerifyPlace
  /// How many pages were looked at, and where those began behind which something is undecided.
  private(set) var page: UInt64 = 0
  private var pages: [(number: UInt64, place: VerifyPlace)] = []

  /// Connects to both ends and looks for the job between them.
  ///
  /// - Parameters:
  ///   - onDifference: called for each key that differs, as it is found.
  ///   - onUndecided: called for each key that changed whenever it was read.
  ///   - onFinding: called once with what was found of a job.
  init(
    _ plan: VerifyPlan, progress: VerifyProgress,
    onDifference: @escaping (Difference) -> Void, onUndecided: @escaping (KeyName) -> Void,
    onFinding: (VerifiedJob.Finding) throws(ReplayError) -> Void
  ) throws(ReplayError) {
    self.plan = plan
    self.progress = progress
    self.onDifference = onDifference
    self.onUndecided = onUndecided
    let source = try VerifyEnd(
      plan.source, timeouts: plan.timeouts, interrupt: plan.interrupt)
    let destination = try VerifyEnd(
      plan.destination, timeouts: plan.timeouts, interrupt: plan.interrupt)
    let finding = try VerifiedJob.find(plan, source: source.facts, isThorough: plan.fixes)
    try onFinding(finding)
    var job: VerifiedJob?
    if case .job(let present) = finding { job = present }
    let runID = Self.short(source.facts)
    place =
      plan.from
      ?? VerifyPlace(
        looksForExtra: false, database: 0, cursor: Self.zero, route: plan.route, runID: runID,
        foundDifferences: false)
    pair = PairReader(
      source: source, destination: destination, mapping: plan.mapping, job: job,
      settleMilliseconds: plan.settleMilliseconds, rules: plan.rules, progress: progress)
    pace = Pace(perSecondMax: plan.keysPerSecondMax)
    otherDifferences = progress.snapshot.differences
  }

  static let zero = Array("0".utf8)

  private static func short(_ facts: ServerFacts) -> String {
    String((facts.runID ?? "").prefix(8))
  }

  /// Compares what the plan says.
  mutating func run() throws(ReplayError) {
    switch plan.extent {
    case .full: try compareAll()
    case .sample(let count): try compareSample(count)
    case .quick: preconditionFailure("numbers are compared by census()")
    }
    progress.update { $0.phase = .settling }
    try settle(all: true)
    progress.update { $0.place = nil }
  }

  private mutating func compareAll() throws(ReplayError) {
    if !place.looksForExtra {
      progress.update { $0.phase = .comparing }
      try walk(sourceDatabases(), looksForExtra: false)
      place.database = 0
      place.cursor = Self.zero
    }
    progress.update { $0.phase = .lookingForExtra }
    try walk(destinationDatabases(), looksForExtra: true)
  }

  /// The source's dbs that are compared.
  func sourceDatabases() -> [Int] {
    pair.source.databases.filter { plan.mapping.filter.matches(database: $0) }
  }

  /// The destination's dbs that keys go to.
  func destinationDatabases() -> [Int] {
    pair.destination.databases.filter { plan.mapping.source(of: $0) != nil }
  }

  /// Goes over the keys of one end, from `place` on.
  private mutating func walk(
    _ databases: [Int], looksForExtra: Bool
  ) throws(ReplayError) {
    let first = place
    if first.cursor != Self.zero, first.looksForExtra == looksForExtra {
      let facts = looksForExtra ? pair.destination.facts : pair.source.facts
      guard Self.short(facts) == first.runID else {
        throw ReplayError(
          "--from is a place at a server process that is gone: its cursor means nothing to the"
            + " present one (begin anew)")
      }
    }
    place.looksForExtra = looksForExtra
    place.runID = Self.short(looksForExtra ? pair.destination.facts : pair.source.facts)
    for database in databases where database >= first.database {
      place.database = database
      place.cursor =
        database == first.database && first.looksForExtra == looksForExtra
        ? first.cursor : Self.zero
      repeat { try walkPage(looksForExtra) } while place.cursor != Self.zero
    }
  }

  /// Takes pages until there are enough keys for a batch, and compares them.
  private mutating func walkPage(_ looksForExtra: Bool) throws(ReplayError) {
    if progress.isCancelled { throw .interrupted }
    notePlace()
    var keys: [[UInt8]] = []
    repeat {
      let page = try scan(place.database, place.cursor, atSource: !looksForExtra)
      keys += page.keys
      place.cursor = page.cursor
    } while place.cursor != Self.zero && keys.count < Self.batchKeysMax
    if looksForExtra {
      try lookUp(keys, place.database)
    } else {
      try compare(keys, place.database)
    }
    try settle(all: false)
  }

  /// Remembers where to begin again: where the first page began of which a key is undecided.
  private mutating func notePlace() {
    page += 1
    pages.append((page, place))
    let first = book.firstPage ?? page
    pages.removeAll { $0.number < first }
    guard var safe = pages.first?.place else { return }
    let numbers = progress.snapshot
    safe.foundDifferences = safe.foundDifferences || numbers.differenceCount > 0
    safe.leftUndecided = safe.leftUndecided || numbers.undecided > 0
    let noted = safe
    progress.update { $0.place = noted }
  }

  /// Waits as long as `--max-rate` asks for behind so many keys.
  mutating func keepPace(_ count: Int) throws(ReplayError) {
    try progress.pause(milliseconds: pace.add(count, now: Clock.monotonicMilliseconds()))
  }

  /// Reads a key once more, later.
  private mutating func suspect(_ key: [UInt8], _ database: Int) {
    book.add(Suspect(KeyName(database: database, key: key), page: page))
  }

  /// One page of SCAN: the keys that are compared, by the names of the end that is asked.
  mutating func scan(
    _ database: Int, _ cursor: [UInt8], atSource: Bool
  ) throws(ReplayError) -> (cursor: [UInt8], keys: [[UInt8]]) {
    let mapping = plan.mapping
    let pattern = atSource || !mapping.renamesKeys ? mapping.filter.scanPattern : nil
    let page: (cursor: [UInt8], keys: [[UInt8]])
    if atSource {
      try pair.source.select(database)
      page = try pair.source.scan(cursor, pattern)
    } else {
      try pair.destination.select(database)
      page = try pair.destination.scan(cursor, pattern)
    }
    let keys = page.keys.filter { key in
      atSource ? mapping.filter.matches(key: key.span) : mapping.sourceKey(of: key) != nil
    }
    return (page.cursor, keys)
  }

  // MARK: - A batch

  /// Compares keys of one db of the source.
  mutating func compare(_ keys: [[UInt8]], _ database: Int) throws(ReplayError) {
    var rest = keys.filter { key in
      !(pair.job?.leavesAlone(key.span, database: database) ?? false)
    }[...]
    while !rest.isEmpty {
      let batch = Array(rest.prefix(Self.batchKeysMax))
      rest = rest.dropFirst(batch.count)
      try pair.selectBoth(KeyName(database: database, key: []))
      let sizes = try pair.sizes(batch)
      var group: [[UInt8]] = []
      var groupBytes: UInt64 = 0
      for (key, size) in zip(batch, sizes) {
        guard let size else { continue }
        if size >= Self.largeBytes {
          suspect(key, database)
          continue
        }
        if groupBytes.saturatingAdd(size) > Self.groupBytesMax {
          try compareGroup(group, database)
          group = []
          groupBytes = 0
        }
        group.append(key)
        groupBytes = groupBytes.saturatingAdd(size)
      }
      try compareGroup(group, database)
      progress.update { $0.keysCompared += UInt64(batch.count) }
      try keepPace(batch.count)
    }
  }

  /// Compares small values; those that seem to differ become suspects.
  private mutating func compareGroup(
    _ keys: [[UInt8]], _ database: Int
  ) throws(ReplayError) {
    if keys.isEmpty { return }
    let states = try pair.readStates(keys.map { KeyName(database: database, key: $0) })
    for (key, state) in zip(keys, states) where pair.judge(state.source, state.destination) != .same
    {
      suspect(key, database)
    }
  }

  /// Looks keys of the destination up at the source.
  mutating func lookUp(_ keys: [[UInt8]], _ target: Int) throws(ReplayError) {
    guard let database = plan.mapping.source(of: target) else { return }
    var rest = keys[...]
    while !rest.isEmpty {
      let batch = rest.prefix(Self.batchKeysMax)
      rest = rest.dropFirst(batch.count)
      let names = batch.compactMap { plan.mapping.sourceKey(of: $0) }.filter { key in
        !(pair.job?.leavesAlone(key.span, database: database) ?? false)
      }
      progress.update { $0.keysLookedUp += UInt64(batch.count) }
      try pair.source.select(database)
      for name in try missing(names) { suspect(name, database) }
      try keepPace(batch.count)
    }
  }

  /// Which of the keys the source does not have.
  private mutating func missing(_ names: [[UInt8]]) throws(ReplayError) -> [[UInt8]] {
    if names.isEmpty { return [] }
    let exists = [Array("EXISTS".utf8)]
    // A key that is named twice counts twice.
    if try pair.source.ask(exists + names).integer == Int64(names.count) { return [] }
    for name in names { pair.source.connection.enqueue(exists + [name]) }
    var missing: [[UInt8]] = []
    for name in names where try pair.source.receive(exists + [name]).integer == 0 {
      missing.append(name)
    }
    return missing
  }
}
