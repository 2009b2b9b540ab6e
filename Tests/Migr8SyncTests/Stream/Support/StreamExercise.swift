// StreamExercise: any bytes as a replication stream, through everything that looks at them before they
// reach a destination: decoder, router, repair book, rewriting, the encoder of repairs. Shared by the
// tests and by scripts/fuzz, whose target `commands` it is.
//
//     input:  plan, cut   the bytes of the stream

import RDBParser
import ReplicaLink

@testable import Migr8Sync

/// One stream, followed until it ends, or until an error ends it.
struct StreamExercise {
  /// Which rules are followed, and how.
  struct Plan {
    /// The number of bytes at the beginning of an input that say so.
    static let length = 2

    let bits: UInt8
    let cut: UInt8

    var hasFilter: Bool { bits & 1 != 0 }
    var renames: Bool { bits & 2 != 0 }
    var hasRelativeTimes: Bool { bits & 4 != 0 }
    /// Large commands are a few bytes long, and come in parts.
    var isLargeSmall: Bool { bits & 8 != 0 }
    var isOurs: Bool { bits & 16 != 0 }
    /// After how many commands the source has answered about keys under repair.
    var answersAfter: Int { Int(bits >> 5) }
    var portion: Int { 1 + Int(cut) % 64 }

    func router() -> CommandRouter {
      var filter = KeyFilter()
      if hasFilter {
        filter = KeyFilter(prefixes: [Array("in:".utf8)], databases: [0, 1])
      }
      let rewrites = [("in:a", "x:"), ("in:ab", "xy"), ("in:z", "z")].map {
        KeyRewrite(old: Array($0.0.utf8), new: Array($0.1.utf8))
      }
      var policy = RoutingPolicy()
      policy.unplaced = bits & 64 != 0 ? .stop : .drop
      return CommandRouter(
        mapping: KeyMapping(
          filter, rewrites: hasFilter && renames ? rewrites : [], databases: renames ? [1: 3] : [:]),
        policy: policy, table: StreamExercise.table, destinationIsOurs: isOurs, database: 0)
    }
  }

  /// The built-in table, and commands of a module that only a source knows.
  private static let table = CommandTable.learned(
    from: .array(
      [
        ("mod.set", "write", 1, 1, 1), ("mod.many", "write", 1, -1, 2),
        ("mod.none", "write", 0, 0, 0),
        ("mod.asked", "movablekeys", 0, 0, 0),
      ].map { (name, flag, first, last, step) in
        .array([
          .bulk(Array(name.utf8)), .integer(-2), .array([.simple(flag)]), .integer(first),
          .integer(last), .integer(step),
        ])
      }))

  /// What is wrong with how a stream was handled; nil when all is well.
  static func complaint(about input: [UInt8]) -> String? {
    guard input.count > Plan.length else { return nil }
    let plan = Plan(bits: input[0], cut: input[1])
    let bytes = input[Plan.length...]
    var whole = StreamExercise(plan)
    whole.follow(bytes, portion: bytes.count)
    if let complaint = whole.complaint { return complaint }
    var parts = StreamExercise(plan)
    parts.follow(bytes, portion: plan.portion)
    if let complaint = parts.complaint { return complaint }
    // What is large depends on what of it is there.
    if plan.isLargeSmall { return nil }
    return whole.decisions == parts.decisions && whole.ending == parts.ending
      ? nil : "portions matter"
  }

  private let plan: Plan
  private var router: CommandRouter
  private let encoder: RepairEncoder
  private(set) var decisions: [RoutingDecision] = []
  /// The error that ended the stream.
  private(set) var ending: String?
  private(set) var complaint: String?

  private init(_ plan: Plan) {
    self.plan = plan
    router = plan.router()
    encoder = RepairEncoder(
      mapping: router.mapping, types: RestorableTypes(nil), features: RDBCommandFeatures())
  }

  private mutating func follow(_ bytes: ArraySlice<UInt8>, portion: Int) {
    var decoder = CommandDecoder(
      offset: 1000, wholeBytesMax: plan.isLargeSmall ? 48 : 1 << 20)
    var rest = bytes
    var isInParts = false
    do throws(LinkError) {
      while complaint == nil, ending == nil {
        if isInParts {
          switch try decoder.nextPart() {
          case .part: decoder.withPart { _ in }
          case .lastPart: isInParts = false
          case .needsInput: if !Self.feed(&decoder, &rest, portion) { return }
          }
          continue
        }
        switch try decoder.next() {
        case .command: handle(decoder)
        case .largeCommand: isInParts = handleLarge(&decoder)
        case .needsInput: if !Self.feed(&decoder, &rest, portion) { return }
        }
      }
    } catch {
      if error.code != .protocolViolation { complaint = "an error of another kind: \(error)" }
      ending = "\(error)"
    }
  }

  private static func feed(
    _ decoder: inout CommandDecoder, _ rest: inout ArraySlice<UInt8>, _ portion: Int
  ) -> Bool {
    if rest.isEmpty { return false }
    rest.prefix(portion).withUnsafeBytes { decoder.append($0) }
    rest = rest.dropFirst(portion)
    return true
  }

  // MARK: Commands

  private mutating func handle(_ decoder: borrowing CommandDecoder) {
    let (start, end) = (decoder.startOffset, decoder.endOffset)
    let words = decoder.withCommand { (bytes, arguments) in arguments.map { Array(bytes[$0]) } }
    decoder.withCommand { (raw, arguments) in
      let bytes = Span<UInt8>(_unsafeBytes: raw)
      let database = router.database
      var decision = router.route(
        bytes, arguments: arguments.span, startOffset: start,
        receiptMilliseconds: plan.hasRelativeTimes ? 1_700_000_000_000 : nil)
      if decision == .needsKeys {
        decision = router.route(
          bytes, arguments: arguments.span, startOffset: start,
          askedKeys: plan.cut & 1 == 0 ? [words[words.count - 1]] : nil)
      }
      let line = decision.explanation(
        bytes, arguments: arguments.span, database: database, offset: start)
      if line.contains("\n") { complaint = "an explanation of several lines: \(line)" }
      judge(decision, words)
      decisions.append(decision)
    }
    if !router.isInTransaction { serveRepairs(words, at: end) }
  }

  /// Whether the command is read in parts.
  private mutating func handleLarge(_ decoder: inout CommandDecoder) -> Bool {
    let start = decoder.startOffset
    let decision = decoder.withHead { (bytes, arguments) in
      router.routeHead(
        Span(_unsafeBytes: bytes), arguments: arguments.span.extracting(first: 2),
        startOffset: start, rewritesTimeToLive: plan.hasRelativeTimes)
    }
    switch decision {
    case .forward, .drop: decoder.beginParts()
    case .stop(let error): ending = "\(error)"
    default: return false
    }
    return ending == nil
  }

  /// Nothing of other keys is sent, and what is sent is one command.
  private mutating func judge(_ decision: RoutingDecision, _ words: [[UInt8]]) {
    switch decision {
    case .forward: judgeSent(words, database: nil)
    case .rewritten(let bytes, let database, _):
      guard let sent = Self.commands(bytes), sent.count == 1 else {
        complaint = "what is sent is not one command: \(String(decoding: bytes, as: UTF8.self))"
        return
      }
      judgeSent(sent[0], database: database)
    case .repair(let names):
      if names.isEmpty { complaint = "nothing is repaired" }
      for name in names where !router.filter.matches(key: name.key.span) {
        complaint = "another's key is repaired: \(name)"
      }
    case .resynchronise(let error), .stop(let error):
      if error.description.contains("\n") { complaint = "an error of several lines: \(error)" }
      ending = "\(error)"
    default: return
    }
  }

  private mutating func judgeSent(_ words: [[UInt8]], database: Int?) {
    _ = router.keysRefused(SentCommand(arguments: words, database: database ?? 0))
    guard plan.hasFilter, let name = words.first,
      let shape = Self.table.shape(named: name.span), shape.kind != .asked
    else { return }
    var bytes: [UInt8] = []
    var ranges: [Range<Int>] = []
    for word in words {
      ranges.append(bytes.count..<bytes.count + word.count)
      bytes += word
    }
    guard let keys = Self.table.keys(of: shape, in: bytes.span, arguments: ranges.span) else {
      complaint = "a command without sense is sent: \(words.map { Printable.key($0) })"
      return
    }
    for position in 0..<keys.count where router.mapping.sourceKey(of: words[keys[position]]) == nil
    {
      complaint = "another's key is sent: \(words.map { Printable.key($0) })"
    }
  }

  // MARK: Repairs

  /// The source answers, with the command's last argument for a value; what is due is written.
  private mutating func serveRepairs(_ words: [[UInt8]], at end: UInt64) {
    guard decisions.count % (plan.answersAfter + 1) == 0 || router.repairs.isBlocking else {
      return
    }
    for name in router.repairs.takeNeeded() {
      router.repairs.fetched(
        RepairValue(
          name: name, payload: words.count > 2 ? words[words.count - 1] : nil,
          expiryMilliseconds: Int64(words.count) - 3, offset: end))
    }
    for value in router.repairs.takeDue(at: end) {
      var buffer = ByteBuffer()
      guard let count = try? encoder.append(value, to: &buffer) else { continue }
      let sent = buffer.withBytes { Self.commands(Array($0)) }
      if sent?.count != count { complaint = "a repair of \(value.name) is not \(count) commands" }
    }
    let changes = router.repairs.takeChanges()
    if !changes.added.isDisjoint(with: changes.removed) { complaint = "both added and removed" }
    if router.repairs.isBlocking { complaint = "blocked by what has been answered" }
  }

  /// Commands in memory; nil when they are anything else, or not whole.
  private static func commands(_ bytes: [UInt8]) -> [[[UInt8]]]? {
    var decoder = CommandDecoder(offset: 0, wholeBytesMax: .max)
    bytes.withUnsafeBytes { decoder.append($0) }
    var commands: [[[UInt8]]] = []
    while let step = try? decoder.next() {
      guard step == .command else { return decoder.pendingBytes == 0 ? commands : nil }
      commands.append(
        decoder.withCommand { (bytes, arguments) in arguments.map { Array(bytes[$0]) } })
    }
    return nil
  }
}
