// AbsoluteExpiry: times to live that count from now, made absolute at receipt.
//
// Sources before 7.0 replicate EXPIRE, SETEX, SET … EX and RESTORE as they came, so the time to
// live would grow by our lag. (Redis 7.0 and later and Valkey send absolute times themselves.)
// What is written needs a destination that knows SET … PXAT (6.2) and RESTORE … ABSTTL (5.0).

/// Rewrites commands with a relative time to live.
enum AbsoluteExpiry {
  /// The command with its deadline in place of the time to live, or `nil` when it holds none, or
  /// is not well-formed, and goes on unchanged.
  ///
  /// - Parameters:
  ///   - bytes: a buffer that holds the command.
  ///   - arguments: where its arguments lie in `bytes`, the name first.
  ///   - receiptMilliseconds: the clock, since 1970, when the command arrived.
  ///   - mapping: what its key is called at the destination.
  static func rewritten(
    _ bytes: Span<UInt8>, arguments: Span<Range<Int>>, receiptMilliseconds now: Int64,
    mapping: KeyMapping = .identity
  ) -> [UInt8]? {
    guard let name = arguments.isEmpty ? nil : arguments[0],
      let shape = CommandTable.builtIn.shape(named: bytes.extracting(name))
    else { return nil }
    switch shape.relativeTime {
    case .none:
      return nil
    case .expire(let unit):
      guard let deadline = deadline(bytes, arguments, 2, unit, now) else { return nil }
      var writer = CommandWriter(argumentCount: arguments.count, reservingBytes: bytes.count + 32)
      writer.append("PEXPIREAT")
      writer.append(key: bytes.extracting(arguments[1]), mapping)
      writer.append(deadline)
      for index in 3..<arguments.count { writer.append(bytes.extracting(arguments[index])) }
      return writer.bytes
    case .setWithTime(let unit):
      guard arguments.count == 4, let deadline = deadline(bytes, arguments, 2, unit, now) else {
        return nil
      }
      var writer = CommandWriter(argumentCount: 5, reservingBytes: bytes.count + 32)
      writer.append("SET")
      writer.append(key: bytes.extracting(arguments[1]), mapping)
      writer.append(bytes.extracting(arguments[3]))
      writer.append("PXAT")
      writer.append(deadline)
      return writer.bytes
    case .setOptions:
      return rewrittenOption(bytes, arguments, optionsFrom: 3, now, mapping)
    case .getOptions:
      return rewrittenOption(bytes, arguments, optionsFrom: 2, now, mapping)
    case .restore:
      return rewrittenRestore(bytes, arguments, now, mapping)
    }
  }

  /// The time at which a time to live ends.
  ///
  /// The sums wrap as the old servers' own do (newer ones refuse such a command, and it never
  /// arrives), so that the key gets the deadline it has at the source; a sum before 1970 is a
  /// deadline that has passed, which 1 is as well and every command accepts.
  private static func deadline(
    _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>, _ index: Int,
    _ unit: CommandShape.TimeUnit, _ now: Int64
  ) -> Int64? {
    guard index < arguments.count, let time = bytes.extracting(arguments[index]).integer else {
      return nil
    }
    let milliseconds = unit == .seconds ? time &* 1000 : time
    return max(1, milliseconds &+ now)
  }

  /// SET and GETEX: the operand of EX or PX.
  private static func rewrittenOption(
    _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>, optionsFrom start: Int, _ now: Int64,
    _ mapping: KeyMapping
  ) -> [UInt8]? {
    var index = start
    while index < arguments.count {
      let option = bytes.extracting(arguments[index])
      if option.isWord("ex") || option.isWord("px") {
        let unit = option.isWord("ex") ? CommandShape.TimeUnit.seconds : .milliseconds
        guard let deadline = deadline(bytes, arguments, index + 1, unit, now) else { return nil }
        var writer = CommandWriter(
          argumentCount: arguments.count, reservingBytes: bytes.count + 32)
        writer.append(bytes.extracting(arguments[0]))
        writer.append(key: bytes.extracting(arguments[1]), mapping)
        for kept in 2..<index { writer.append(bytes.extracting(arguments[kept])) }
        writer.append("PXAT")
        writer.append(deadline)
        for kept in index + 2..<arguments.count { writer.append(bytes.extracting(arguments[kept])) }
        return writer.bytes
      }
      // IFEQ has an operand, which may read as any word; EXAT and PXAT are absolute already.
      index += option.isWord("ifeq") ? 2 : 1
    }
    return nil
  }

  /// RESTORE key milliseconds payload [REPLACE] [ABSTTL] [IDLETIME s] [FREQ n]
  private static func rewrittenRestore(
    _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>, _ now: Int64, _ mapping: KeyMapping
  ) -> [UInt8]? {
    guard arguments.count >= 4, let time = bytes.extracting(arguments[2]).integer, time > 0,
      let deadline = deadline(bytes, arguments, 2, .milliseconds, now)
    else { return nil }
    for index in 4..<arguments.count where bytes.extracting(arguments[index]).isWord("absttl") {
      return nil
    }
    var writer = CommandWriter(
      argumentCount: arguments.count + 1, reservingBytes: bytes.count + 48)
    for index in 0..<arguments.count {
      if index == 1 {
        writer.append(key: bytes.extracting(arguments[1]), mapping)
      } else if index == 2 {
        writer.append(deadline)
      } else {
        writer.append(bytes.extracting(arguments[index]))
      }
    }
    writer.append("ABSTTL")
    return writer.bytes
  }
}
