// A copy without attaching: the keys of a source as SCAN names them, their values by DUMP. Feeds the same
// sinks as a snapshot does, so rules, names, conflicts and loaders are the same. What is weaker: there is no
// stream, and no one moment that the copy is of.
//
//   SCAN ─▶ MEMORY USAGE ─▶ small: DUMP and PEXPIRETIME, some keys at a time ─▶ sink
//                       └─▶ large: PieceReader, some hundred elements at a time ─▶ sink
//
// On the replay thread. The source is asked in small steps with a rest behind each, as long as the step took
// and at most a millisecond, or more where the source answers late (LatencyThrottle); its connection is made
// anew when it is lost, and the same page asked for again. Memory: a page of names, `groupBytesMax` of values,
// and 8 bytes and some air for each key, to know those that SCAN names twice.

import RDBParser
import ReplicaLink

/// Where the keys of a source that is scanned go.
protocol ScanSink: SnapshotSink, ~Copyable {
  /// Takes a key whose value is read in pieces.
  ///
  /// - Parameter bytes: the memory that it takes at the source.
  mutating func take(
    _ entry: RDBEntry, key: [UInt8], bytes: UInt64, inPieces pieces: inout PieceReader
  ) throws(ReplayError)
}

/// Goes once over a source's keys.
struct ScanReplay: ~Copyable {
  /// Keys looked at by one SCAN.
  static let scanCount = 256
  /// Keys asked for at once.
  static let batchKeysMax = 64
  /// Values fetched at once, in bytes of the source's memory.
  static let groupBytesMax: UInt64 = 256 << 10
  /// What the source may take longer than usual to answer a PING before it is left in peace, in microseconds.
  static let latencyMicrosecondsMax: Int64 = 10_000

  private let plan: DestinationPlan
  private let counters: SnapshotCounters
  private let skipped: KeyHashSet
  private let connector: ScanConnector
  private var source: VerifyEnd
  private var pieces: PieceReader
  private var throttle = LatencyThrottle(
    microsecondsMax: latencyMicrosecondsMax, batchMax: batchKeysMax)
  /// Every key that went to the sink.
  private(set) var known = KeyHashSet()

  /// Connects.
  ///
  /// - Parameters:
  ///   - interrupt: rung when the run is to end.
  ///   - checkpoint: throws when the run is over for another reason.
  ///   - rest: waits so many microseconds.
  init(
    _ plan: DestinationPlan, counters: SnapshotCounters, skipped: KeyHashSet, interrupt: WakePipe,
    checkpoint: @escaping () throws(ReplayError) -> Void,
    rest: @escaping (Int64) throws(ReplayError) -> Void, notices: Notices
  ) throws(ReplayError) {
    self.plan = plan
    connector = ScanConnector(
      plan: plan, interrupt: interrupt, checkpoint: checkpoint, rest: rest, notices: notices)
    self.counters = counters
    self.skipped = skipped
    source = try connector.connect()
    pieces = PieceReader(plan, connector, runID: source.facts.runID)
  }

  // MARK: - The keys

  /// Feeds every matching key to `sink`.
  mutating func run<Sink: ScanSink & ~Copyable>(into sink: inout Sink) throws(ReplayError) {
    for database in source.databases where plan.filter.matches(database: database) {
      var cursor = Array("0".utf8)
      repeat {
        try connector.checkpoint()
        let (start, pattern) = (cursor, plan.filter.scanPattern)
        let page = try insist(database) { (source) throws(ReplayError) in
          try source.scan(start, pattern, count: Self.scanCount)
        }
        counters.keysRead.add(UInt64(page.keys.count), ordering: .relaxed)
        // SCAN may name a key twice, also in one page.
        var named: Set<[UInt8]> = []
        let keys = page.keys.filter { key in
          named.insert(key).inserted && plan.filter.matches(key: key.span)
            && !known.contains(key.span, database: database)
            && !skipped.contains(key.span, database: database)
        }
        var rest = keys[...]
        while !rest.isEmpty {
          try connector.checkpoint()
          let batch = Array(rest.prefix(throttle.batch))
          rest = rest.dropFirst(batch.count)
          try copy(batch, database, into: &sink)
        }
        cursor = page.cursor
      } while cursor != Array("0".utf8)
    }
  }

  private mutating func copy<Sink: ScanSink & ~Copyable>(
    _ keys: [[UInt8]], _ database: Int, into sink: inout Sink
  ) throws(ReplayError) {
    let start = Clock.monotonicMicroseconds()
    let sizes = try insist(database) { (source) throws(ReplayError) in
      for key in keys { source.enqueueSize(key) }
      var sizes: [UInt64?] = []
      for key in keys { sizes.append(try source.receiveSize(key)) }
      return sizes
    }
    var group: [[UInt8]] = []
    var groupBytes: UInt64 = 0
    for (key, size) in zip(keys, sizes) {
      guard let size else {
        counters.keysVanished.add(1, ordering: .relaxed)
        continue
      }
      if size >= Verifier.largeBytes {
        try copyLarge(key, size, database, into: &sink)
        continue
      }
      if groupBytes.saturatingAdd(size) > Self.groupBytesMax {
        try copyGroup(group, database, into: &sink)
        (group, groupBytes) = ([], 0)
      }
      group.append(key)
      groupBytes = groupBytes.saturatingAdd(size)
    }
    try copyGroup(group, database, into: &sink)
    try giveWay(since: start, database)
  }

  /// Gives the source's other clients their turn.
  private mutating func giveWay(since start: Int64, _ database: Int) throws(ReplayError) {
    let end = Clock.monotonicMicroseconds()
    _ = try insist(database) { (source) throws(ReplayError) in try source.ask("PING") }
    let ping = Clock.monotonicMicroseconds() - end
    try connector.rest(throttle.measured(batch: end - start, ping: ping))
  }

  // MARK: - Values

  private mutating func copyGroup<Sink: ScanSink & ~Copyable>(
    _ keys: [[UInt8]], _ database: Int, into sink: inout Sink
  ) throws(ReplayError) {
    if keys.isEmpty { return }
    let states = try insist(database) { (source) throws(ReplayError) in
      for key in keys {
        for command in source.stateCommands(key) { source.connection.enqueue(command) }
      }
      var states: [RawState] = []
      for key in keys { states.append(try source.receiveState(key)) }
      return states
    }
    for (key, state) in zip(keys, states) {
      guard let payload = state.payload else {
        counters.keysVanished.add(1, ordering: .relaxed)
        continue
      }
      try take(key, payload, state.expiryMilliseconds, database, into: &sink)
    }
  }

  private mutating func take<Sink: ScanSink & ~Copyable>(
    _ key: [UInt8], _ payload: [UInt8], _ expiry: Int64?, _ database: Int, into sink: inout Sink
  ) throws(ReplayError) {
    let contents: DumpContents
    do {
      contents = try DumpPayload.open(payload.span)
    } catch {
      throw damaged(key, error)
    }
    counters.bytesRead.add(UInt64(payload.count), ordering: .relaxed)
    guard isWanted(contents.type.kind) else { return }
    note(key, database)
    let entry = RDBEntry(database: database, type: contents.type, expiryMilliseconds: expiry)
    var value = try SnapshotReader(
      value: payload.span.extracting(contents.value), of: entry, key: key,
      name: "key \(plan.mapping.shown(key)) from the source", counters: counters,
      features: plan.facts?.commandFeatures ?? RDBCommandFeatures())
    try sink.take(entry, from: &value)
  }

  private mutating func copyLarge<Sink: ScanSink & ~Copyable>(
    _ key: [UInt8], _ bytes: UInt64, _ database: Int, into sink: inout Sink
  ) throws(ReplayError) {
    for _ in 0..<PieceReader.attemptsMax {
      let type = try insist(database) { (source) throws(ReplayError) in
        try source.ask([Array("TYPE".utf8), key]).text ?? "none"
      }
      if type == "none" {
        counters.keysVanished.add(1, ordering: .relaxed)
        return
      }
      // A value of a module has no pieces.
      guard let kind = RDBValueKind(rawValue: type), PieceReader.reads(kind) else { break }
      guard isWanted(kind) else { return }
      pieces.begin(KeyName(database: database, key: key), kind, bytes: bytes)
      // When it expires is asked with the pieces.
      let entry = RDBEntry(database: database, type: kind.typeWhenLarge, expiryMilliseconds: nil)
      try sink.take(entry, key: key, bytes: bytes, inPieces: &pieces)
      if pieces.isGone { continue }
      note(key, database)
      counters.bytesRead.add(bytes, ordering: .relaxed)
      if pieces.isTorn { counters.keysTorn.add(1, ordering: .relaxed) }
      return
    }
    try copyGroup([key], database, into: &sink)
  }

  /// Whether values of a type are moved. They are told apart only once they are here.
  private func isWanted(_ type: RDBValueKind) -> Bool {
    if plan.filter.matches(type: type) { return true }
    counters.keysOfOtherTypes.add(1, ordering: .relaxed)
    return false
  }

  private mutating func note(_ key: [UInt8], _ database: Int) {
    counters.keysMatched.add(1, ordering: .relaxed)
    known.insert(key.span, database: database)
  }

  private func damaged(_ key: [UInt8], _ error: RDBError) -> ReplayError {
    ReplayError("reading key \(plan.mapping.shown(key)) from the source: \(error)")
  }

  // MARK: - The connection

  /// Asks the source, and asks again on a new connection when the old one is lost.
  private mutating func insist<R>(
    _ database: Int, _ question: (inout VerifyEnd) throws(ReplayError) -> R
  ) throws(ReplayError) -> R {
    var pause = Backoff.forStream()
    while true {
      do throws(ReplayError) {
        try source.select(database)
        return try question(&source)
      } catch {
        source = try connector.connect(after: error, to: source.facts.runID, &pause)
      }
    }
  }
}
