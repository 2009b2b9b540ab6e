// ExpiryHazard: what can go wrong with a command when the destination, which expires keys by its own
// clock, carries it out late. Logic without I/O.
//
// A key whose time to live has passed there, while the source renewed it in a command still under way, is
// gone, or was made anew by a command that changes a key in place (INCR, HSET): then it has a wrong value
// and no time to live. It keeps that mark until a command gives it one, or reads it to write another
// key. So those are the commands to look at, and "it has a time to live" is the one answer to trust:
//
//   SET, RESTORE, DEL …            write the whole key                     nothing to ask
//   INCR, HSET, LPUSH …            leave the mark as it is                 nothing to ask
//   PEXPIREAT, PERSIST, GETEX …    ask for the time to live first          none: the key is repaired
//   HPEXPIREAT, HPERSIST …         the same for the fields
//   COPY, RENAME, SUNIONSTORE …    what they write is repaired instead
//
// Their own replies tell some of it for nothing, late or not: PEXPIREAT says 0 where it found no key.

import ReplicaLink

/// What a command makes of the time to live of keys that exist.
enum ExpiryHazard: Sendable, Equatable {
  /// Nothing: it writes a key whole, or changes it in place.
  case none
  /// SET: with XX or IFEQ it needs the key that was there.
  case conditional
  /// It sets or removes the time to live of a key, its first argument.
  case timeToLive
  /// It sets or removes those of fields of a hash.
  case fields
  /// HSETEX: it writes fields, perhaps only where they are, or are not, there.
  case fieldValues
  /// A command of the source's own, which may do anything to its keys.
  case unknown
}

/// How to find out whether a command that is passed on meets at the destination what it met at the source.
struct ExpiryWatch: Sendable, Equatable {
  /// What its reply has to be.
  var expectation = ReplyExpectation.any
  /// A question to put before it, in the destination's words, whose answer has to be a time to live;
  /// empty for none.
  var question: [UInt8] = []
  /// Whether it is to be doubted when it turns out to have been carried out too late.
  var isTimely = false
}

extension CommandShape {
  /// Whether it reads one key to write another.
  var derives: Bool {
    switch kind {
    case .keyed:
      switch effect {
      case .none: false
      case .all: first != last
      case .first, .extra, .rename, .moveMember, .moveElement, .popElement: true
      }
    case .movable(.streams), .movable(.migrate), .splittable, .splittablePairs, .keyless, .control:
      false
    case .movable, .crossDatabase, .asked: true
    }
  }

  /// Whether a command of this shape with so many arguments may give a key a time to live.
  func mayGiveTimeToLive(argumentCount: Int) -> Bool {
    switch kind {
    case .movable(.script), .movable(.specified), .asked, .keyless(.foreign): return true
    default: break
    }
    switch hazard {
    case .none: return relativeTime != .none
    case .conditional: return argumentCount > 3
    case .timeToLive, .fields, .fieldValues, .unknown: return true
    }
  }

  /// What to watch when the command is passed on.
  ///
  /// - Parameters:
  ///   - isLate: whether it comes so late that it needs a question before it.
  ///   - mapping: what its key is called at the destination.
  func watch(
    _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>, isLate: Bool, mapping: KeyMapping
  ) -> ExpiryWatch {
    switch hazard {
    case .none:
      guard derives else { return ExpiryWatch() }
      return ExpiryWatch(
        expectation: Self.expectationOfCopy(self, bytes, arguments), isTimely: true)
    case .conditional:
      return ExpiryWatch(
        expectation: Self.isConditional(bytes, arguments) ? .value : .any)
    case .timeToLive:
      let reply: ReplyExpectation = relativeTime == .getOptions ? .value : .effect
      guard isLate else { return ExpiryWatch(expectation: reply, isTimely: true) }
      return ExpiryWatch(expectation: reply, question: Self.question(bytes, arguments, mapping))
    case .unknown:
      guard isLate else { return ExpiryWatch(isTimely: true) }
      return ExpiryWatch(question: Self.question(bytes, arguments, mapping))
    case .fields:
      guard isLate else { return ExpiryWatch(expectation: .fields, isTimely: true) }
      return ExpiryWatch(
        expectation: .fields, question: Self.fieldQuestion(bytes, arguments, mapping))
    case .fieldValues:
      return ExpiryWatch(expectation: .effect)
    }
  }

  /// A COPY that found nothing answers 0. One into another database is not told apart here.
  private static func expectationOfCopy(
    _ shape: CommandShape, _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>
  ) -> ReplyExpectation {
    if shape.effect == .moveMember { return .effect }
    guard shape.kind == .crossDatabase(.copy) else { return .any }
    for index in 3..<max(3, arguments.count) where bytes.extracting(arguments[index]).isWord("db") {
      return .any
    }
    return .effect
  }

  private static func isConditional(
    _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>
  ) -> Bool {
    for index in 3..<max(3, arguments.count) {
      let option = bytes.extracting(arguments[index])
      if option.isWord("xx") || option.isWord("ifeq") { return true }
    }
    return false
  }

  /// PTTL key
  private static func question(
    _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>, _ mapping: KeyMapping
  ) -> [UInt8] {
    var writer = CommandWriter(argumentCount: 2, reservingBytes: 64)
    writer.append("PTTL")
    writer.append(key: bytes.extracting(arguments[1]), mapping)
    return writer.bytes
  }

  /// HPTTL key FIELDS n field …: the end of the command itself, from FIELDS on.
  private static func fieldQuestion(
    _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>, _ mapping: KeyMapping
  ) -> [UInt8] {
    var start = 2
    while start < arguments.count, !bytes.extracting(arguments[start]).isWord("fields") {
      start += 1
    }
    var writer = CommandWriter(
      argumentCount: 2 + arguments.count - start, reservingBytes: bytes.count + 32)
    writer.append("HPTTL")
    writer.append(key: bytes.extracting(arguments[1]), mapping)
    for index in start..<arguments.count { writer.append(bytes.extracting(arguments[index])) }
    return writer.bytes
  }
}
