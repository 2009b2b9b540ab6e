// Removes moved keys from a source: a key goes only when the destination holds it with the same value, and
// when nobody touched it between the comparison and the end.
//
//   source   SCAN ─▶ WATCH keys ─▶ compare with the destination ─▶ MULTI · UNLINK those that are the same · EXEC
//
// Each of these steps is small enough that a client who comes in between does not feel it; LatencyThrottle
// says how many keys, and how long to rest.
//
// An EXEC that is not carried out means that one of the keys was touched: the keys are tried again in two
// halves, and a single one a few times; then it is kept. Begun anew at any time: what is gone is gone.

import ReplicaLink

/// What to remove.
struct DeletePlan: Sendable {
  let source: ServerLocator
  let mapping: KeyMapping
  let timeouts: Timeouts
  var isDryRun = false
  var keysPerSecondMax: UInt64?
  var latencyMicrosecondsMax: Int64 = 10_000
}

/// Removes the keys of one route.
struct KeyRemover: ~Copyable {
  /// Keys looked at by one SCAN.
  static let scanCount = 32
  /// The rest behind a SCAN that has found nothing, or a piece of a value, in microseconds.
  static let shortRestMicroseconds: Int64 = 200
  /// Values that are fetched at once, in bytes of the server's memory.
  static let groupBytesMax: UInt64 = 32 << 10
  /// Values of more than this are compared in pieces where that is as exact, in bytes.
  static let wholeBytesMax: UInt64 = 128 << 10
  /// So often a key that is touched all the time is tried.
  static let attemptsMax = 5
  /// Elements removed at once from a value that cannot be unlinked.
  static let pieceElements = 100
  /// How often the source is asked whether a job has begun to follow it, in milliseconds: sooner than it
  /// begins a snapshot for one by its repl-diskless-sync-delay.
  static let lookMilliseconds: Int64 = 100
  /// The name that a large key has while it is removed in pieces.
  static let partialSuffix = Array(":migr8sync-removed".utf8)

  /// The comparison, where there is one.
  final class Comparer {
    var pair: PairReader
    init(_ pair: consuming PairReader) { self.pair = pair }
  }

  private let plan: DeletePlan
  private let comparer: Comparer?
  let progress: VerifyProgress
  private let onKept: (KeyName, KeptReason) -> Void
  var source: VerifyEnd
  private let canUnlink: Bool
  private var throttle: LatencyThrottle
  private var pace: Pace
  private(set) var counts = DeleteCounts()
  private var nextLookMilliseconds: Int64 = 0

  /// - Parameter comparer: nil to remove without looking at the destination.
  init(
    _ plan: DeletePlan, comparer: Comparer?, progress: VerifyProgress,
    onKept: @escaping (KeyName, KeptReason) -> Void
  ) throws(ReplayError) {
    self.plan = plan
    self.comparer = comparer
    self.progress = progress
    self.onKept = onKept
    var source = try VerifyEnd(plan.source, timeouts: plan.timeouts)
    // A name may lead to another server from one moment to the next.
    guard comparer.map({ $0.pair.source.facts.runID == source.facts.runID }) ?? true else {
      throw ReplayError(
        "connecting to \(source.peer): two connections have led to two servers (a failover is under way:"
          + " try again when it is over); nothing was removed")
    }
    canUnlink = try Self.probeUnlink(&source, plan.mapping.filter)
    self.source = source
    throttle = LatencyThrottle(microsecondsMax: plan.latencyMicrosecondsMax)
    pace = Pace(perSecondMax: plan.keysPerSecondMax)
  }

  /// What the source said of itself.
  var facts: ServerFacts { source.facts }

  /// Whether the server has UNLINK, under this name and for this user; asked with a key that nobody has.
  private static func probeUnlink(
    _ source: inout VerifyEnd, _ filter: KeyFilter
  ) throws(ReplayError) -> Bool {
    let start = filter.prefixes.first ?? []
    let key = start + Array("migr8sync:probe:nothing".utf8)
    source.connection.enqueue([Array("UNLINK".utf8), key])
    return try source.receive().errorLine == nil
  }

  // MARK: - The keys

  /// Hands the matching keys of each db to `body`, a page at a time.
  private mutating func walk(
    _ body: (inout Self, [[UInt8]], Int) throws(ReplayError) -> Void
  ) throws(ReplayError) {
    let filter = plan.mapping.filter
    // A glob's pattern would pass over names that end otherwise.
    let findsPartial = canUnlink || filter.globs.isEmpty
    for database in source.databases where filter.matches(database: database) {
      var cursor = Array("0".utf8)
      repeat {
        if progress.isCancelled { throw .interrupted }
        try source.select(database)
        let page = try source.scan(
          cursor, findsPartial ? filter.scanPattern : nil, count: Self.scanCount)
        cursor = page.cursor
        let keys = page.keys.filter { filter.matches(key: $0.span) || isPartial($0) }
        try body(&self, keys, database)
      } while cursor != Array("0".utf8)
    }
  }

  /// How many keys match.
  mutating func count() throws(ReplayError) -> UInt64 {
    var count: UInt64 = 0
    try walk { (_, keys, _) throws(ReplayError) in count += UInt64(keys.count) }
    return count
  }

  /// Removes them.
  mutating func run() throws(ReplayError) {
    try walk { (remover, keys, database) throws(ReplayError) in
      var rest = keys[...]
      if keys.isEmpty { try remover.progress.pause(microseconds: Self.shortRestMicroseconds) }
      while !rest.isEmpty {
        if remover.progress.isCancelled { throw .interrupted }
        let batch = Array(rest.prefix(remover.throttle.batch))
        rest = rest.dropFirst(batch.count)
        let start = Clock.monotonicMicroseconds()
        try remover.remove(batch, database)
        let counts = remover.counts
        remover.progress.update {
          $0.keysCompared = counts.removed + counts.keptCount + counts.gone
        }
        try remover.rest(batch.count, since: start)
      }
    }
  }

  /// Ends it when a job has begun to follow the source: what is removed from now on would be removed at
  /// that job's destination, too, where it is perhaps about to arrive.
  private mutating func lookForFollowers() throws(ReplayError) {
    let now = Clock.monotonicMilliseconds()
    if plan.isDryRun || now < nextLookMilliseconds { return }
    nextLookMilliseconds = now + Self.lookMilliseconds
    let info = InfoFields(try source.ask("INFO", "replication").text ?? "")
    guard let follower = info.followersWithoutPort.first else { return }
    throw ReplayError(
      "a job at \(follower) has begun to follow this source: what is removed from now on may be removed"
        + " at its destination, too (end it first; the same command goes on)")
  }

  /// Waits as long as the rate and the server ask for.
  private mutating func rest(_ count: Int, since start: Int64) throws(ReplayError) {
    let end = Clock.monotonicMicroseconds()
    _ = try source.ask("PING")
    let ping = Clock.monotonicMicroseconds() - end
    try progress.pause(microseconds: throttle.measured(batch: end - start, ping: ping))
    try progress.pause(milliseconds: pace.add(count, now: Clock.monotonicMilliseconds()))
  }

  // MARK: - A batch

  private mutating func remove(
    _ keys: [[UInt8]], _ database: Int, attempt: Int = 0
  ) throws(ReplayError) {
    if keys.isEmpty { return }
    try source.select(database)
    let watches = comparer != nil && !plan.isDryRun
    var outcome = DeleteCounts()
    var kept: [(KeyName, KeptReason)] = []
    let present = try watch(keys, watches)
    outcome.gone = UInt64(keys.count - present.count)
    let doomed = try decide(present, database, &outcome, &kept)
    if !plan.isDryRun, try !carryOut(doomed, watches) {
      if keys.count > 1 {
        let middle = keys.count / 2
        try remove(Array(keys[..<middle]), database)
        return try remove(Array(keys[middle...]), database)
      }
      if attempt + 1 < Self.attemptsMax {
        try progress.pause(milliseconds: Int64.random(in: 1...(20 << Int64(attempt))))
        return try remove(keys, database, attempt: attempt + 1)
      }
      outcome = DeleteCounts()
      kept = [(KeyName(database: database, key: keys[0]), .changed)]
    }
    for (name, reason) in kept {
      outcome.kept[reason, default: 0] += 1
      onKept(name, reason)
    }
    counts.add(outcome)
  }

  /// Watches keys and asks for their memory, in one go: those that are there.
  private mutating func watch(
    _ keys: [[UInt8]], _ watches: Bool
  ) throws(ReplayError) -> [(key: [UInt8], bytes: UInt64)] {
    let watch = [Array("WATCH".utf8)] + keys
    if watches { source.connection.enqueue(watch) }
    for key in keys { source.enqueueSize(key) }
    if watches { _ = try source.receive(watch) }
    var present: [(key: [UInt8], bytes: UInt64)] = []
    for key in keys {
      if let bytes = try source.receiveSize(key) { present.append((key, bytes)) }
    }
    return present
  }

  /// Which of the keys go.
  private mutating func decide(
    _ present: [(key: [UInt8], bytes: UInt64)], _ database: Int, _ outcome: inout DeleteCounts,
    _ kept: inout [(KeyName, KeptReason)]
  ) throws(ReplayError) -> [(key: [UInt8], bytes: UInt64)] {
    var doomed: [(key: [UInt8], bytes: UInt64)] = []
    var rest = present[...]
    while !rest.isEmpty {
      var group: [(key: [UInt8], bytes: UInt64)] = []
      var groupBytes: UInt64 = 0
      while let next = rest.first,
        group.isEmpty || groupBytes.saturatingAdd(next.bytes) <= Self.groupBytesMax
      {
        group.append(next)
        groupBytes = groupBytes.saturatingAdd(next.bytes)
        rest = rest.dropFirst()
      }
      for (one, comparison) in zip(group, try compare(group, database)) {
        let name = KeyName(database: database, key: one.key)
        switch comparison {
        case .same: doomed.append(one)
        case .different(.extra): outcome.gone += 1
        case .different(let cause): kept.append((name, .different(cause)))
        case .expiring: kept.append((name, .changed))
        }
      }
    }
    for (_, bytes) in doomed {
      outcome.removed += 1
      outcome.removedBytes = outcome.removedBytes.saturatingAdd(bytes)
    }
    return doomed
  }

  /// Compares a few keys, or one large one, with the destination's.
  private mutating func compare(
    _ group: [(key: [UInt8], bytes: UInt64)], _ database: Int
  ) throws(ReplayError) -> [KeyComparison] {
    guard let comparer else { return group.map { _ in .same } }
    if group.count == 1, try hasPieces(group[0]) {
      // What an interrupted run has begun to remove in pieces has been compared.
      if isPartial(group[0].key) { return [.same] }
      switch try comparer.pair.compareLarge(
        KeyName(database: database, key: group[0].key), bytes: group[0].bytes)
      {
      case .same: return [.same]
      case .different(let cause, _): return [.different(cause)]
      case .undecided: return [.expiring]
      }
    }
    let names = group.map { KeyName(database: database, key: $0.key) }
    return try comparer.pair.readStates(names).enumerated().map { index, state in
      if isPartial(names[index].key) { return .same }
      let comparison = comparer.pair.judge(state.source, state.destination)
      // A hash whose fields have all expired, by the clock here, is none to a comparison; the source still has it.
      if comparison == .same, state.source.payload != nil, state.destination.payload == nil {
        return .expiring
      }
      return comparison
    }
  }

  /// Whether a value is compared in pieces. In those of streams not everything can be; values of modules
  /// have none.
  private mutating func hasPieces(
    _ one: (key: [UInt8], bytes: UInt64)
  ) throws(ReplayError) -> Bool {
    if one.bytes < Self.wholeBytesMax { return false }
    if one.bytes >= Verifier.largeBytes { return true }
    let type = try source.ask([Array("TYPE".utf8), one.key]).text ?? ""
    return ["string", "list", "set", "zset", "hash"].contains(type)
  }

  /// Whether a key is what an interrupted run has left: a name that is made where there is no UNLINK alone,
  /// of that of a key that was in.
  private func isPartial(_ key: [UInt8]) -> Bool {
    let suffix = Self.partialSuffix
    guard !canUnlink, key.suffix(suffix.count).elementsEqual(suffix) else { return false }
    return plan.mapping.filter.matches(key: Array(key.dropLast(suffix.count)).span)
  }

  /// Removes keys; false when one of them was touched since it was watched.
  private mutating func carryOut(
    _ doomed: [(key: [UInt8], bytes: UInt64)], _ watches: Bool
  ) throws(ReplayError) -> Bool {
    if doomed.isEmpty {
      if watches { _ = try source.ask("UNWATCH") }
      return true
    }
    let large = canUnlink ? [] : doomed.filter { $0.bytes >= Verifier.largeBytes }.map(\.key)
    let small = doomed.map(\.key).filter { !large.contains($0) }
    var commands: [[[UInt8]]] = []
    if !small.isEmpty {
      commands.append([Array((canUnlink ? "UNLINK" : "DEL").utf8)] + small)
    }
    // Gone under its name at once, whatever the time that its elements take.
    for key in large where !isPartial(key) {
      commands.append([Array("RENAME".utf8), key, key + Self.partialSuffix])
    }
    if !commands.isEmpty {
      // Last: comparing a large value takes its time.
      try lookForFollowers()
      guard try PairReader.transact(commands, &source) != nil else { return false }
    } else if watches {
      _ = try source.ask("UNWATCH")
    }
    for key in large {
      try removeInPieces(isPartial(key) ? key : key + Self.partialSuffix)
    }
    return true
  }
}
