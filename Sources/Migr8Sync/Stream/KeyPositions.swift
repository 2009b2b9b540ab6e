// KeyPositions: which arguments of a command are keys.
//
// Every rule of every built-in command ends in the same form, a run of arguments at equal distance
// and perhaps one more, so the result is three numbers and finding it allocates nothing; only what a
// source says of commands of its own may need a list. Counts come from the wire: a command whose
// positions do not fit its arguments is malformed, never a trap.

/// The indices of a command's key arguments, the name being index 0.
struct KeyPositions: Sendable, Equatable {
  private var first: Int
  private var step: Int
  private var runCount: Int
  /// One more key after the run; 0 for none.
  private var extra: Int
  /// The indices themselves, in place of the run.
  private var list: [Int]?

  /// Makes positions from their list.
  init(list: [Int]) {
    self.init(first: 0, runCount: list.count)
    self.list = list
  }

  private init(first: Int, step: Int = 1, runCount: Int, extra: Int = 0) {
    self.first = first
    self.step = step
    self.runCount = runCount
    self.extra = extra
  }

  /// How many keys there are.
  var count: Int { runCount + (extra == 0 ? 0 : 1) }

  /// The argument index of the key number `position`, which is below `count`.
  subscript(position: Int) -> Int {
    if let list { return list[position] }
    return position < runCount ? first + position * step : extra
  }

  /// The argument index of the key beside the run; `nil` when there is none.
  var extraKey: Int? { extra == 0 ? nil : extra }

  /// Whether the argument at `index` is a key.
  func contains(_ index: Int) -> Bool {
    if let list { return list.contains(index) }
    if extra != 0, index == extra { return true }
    return index >= first && index < first + runCount * step && (index - first) % step == 0
  }

  /// The keys of one command.
  ///
  /// - Parameters:
  ///   - shape: what the table says about the command.
  ///   - bytes: a buffer that holds the command.
  ///   - arguments: where its arguments lie in `bytes`, the name first.
  /// - Returns: the positions, or `nil` when the command is malformed.
  static func find(
    _ shape: CommandShape, in bytes: Span<UInt8>, arguments: Span<Range<Int>>
  ) -> KeyPositions? {
    switch shape.kind {
    case .keyless, .control, .asked, .movable(.specified):
      return KeyPositions(first: 0, runCount: 0)
    case .keyed, .splittable, .splittablePairs, .crossDatabase:
      return fixed(shape, argumentCount: arguments.count)
    case .movable(.counted(let index)):
      guard let run = counted(at: index, bytes, arguments), run.count > 0 else { return nil }
      return run.adding(shape.first)
    case .movable(.script):
      return counted(at: 2, bytes, arguments)
    case .movable(.sort):
      guard arguments.count > 1 else { return nil }
      return KeyPositions(first: 1, runCount: 1).adding(sortDestination(bytes, arguments))
    case .movable(.geoStore):
      guard arguments.count > 1 else { return nil }
      return KeyPositions(first: 1, runCount: 1).adding(geoDestination(bytes, arguments))
    case .movable(.streams):
      return streams(bytes, arguments)
    case .movable(.migrate):
      return migrate(bytes, arguments)
    }
  }

  private func adding(_ index: Int) -> KeyPositions {
    KeyPositions(first: first, step: step, runCount: runCount, extra: index)
  }

  private static func fixed(_ shape: CommandShape, argumentCount: Int) -> KeyPositions? {
    let last = shape.last < 0 ? argumentCount + shape.last : shape.last
    guard shape.first <= last, last < argumentCount else { return nil }
    let length = last - shape.first + 1
    // Pairs end with a value: MSET k v k is refused here.
    if shape.kind == .splittablePairs, length % shape.step != 0 { return nil }
    return KeyPositions(
      first: shape.first, step: shape.step, runCount: (length + shape.step - 1) / shape.step)
  }

  private static func counted(
    at index: Int, _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>
  ) -> KeyPositions? {
    guard index < arguments.count,
      let number = bytes.extracting(arguments[index]).integer, let count = Int(exactly: number),
      count >= 0, count < arguments.count - index
    else { return nil }
    return KeyPositions(first: index + 1, runCount: count)
  }

  /// The destination of SORT: what follows the last STORE that is not itself an operand; or 0.
  private static func sortDestination(
    _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>
  ) -> Int {
    var destination = 0
    var index = 2
    while index < arguments.count {
      let argument = bytes.extracting(arguments[index])
      if argument.isWord("store"), index + 1 < arguments.count {
        destination = index + 1
        index += 2
      } else if argument.isWord("limit") {
        index += 3
      } else if argument.isWord("by") || argument.isWord("get") {
        index += 2
      } else {
        index += 1
      }
    }
    return destination
  }

  /// The destination of GEORADIUS: what follows the last STORE or STOREDIST; or 0.
  private static func geoDestination(_ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>) -> Int {
    var destination = 0
    var index = 5
    while index + 1 < arguments.count {
      let argument = bytes.extracting(arguments[index])
      if argument.isWord("store") || argument.isWord("storedist") {
        destination = index + 1
        index += 1
      }
      index += 1
    }
    return destination
  }

  /// XREADGROUP GROUP group consumer [COUNT n] [BLOCK ms] [NOACK] STREAMS key … id …
  private static func streams(
    _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>
  ) -> KeyPositions? {
    var index = 1
    while index < arguments.count {
      let argument = bytes.extracting(arguments[index])
      if argument.isWord("streams") {
        let rest = arguments.count - index - 1
        guard rest > 0, rest % 2 == 0 else { return nil }
        return KeyPositions(first: index + 1, runCount: rest / 2)
      }
      if argument.isWord("group") {
        index += 3
      } else if argument.isWord("count") || argument.isWord("block") || argument.isWord("claim") {
        index += 2
      } else {
        index += 1
      }
    }
    return nil
  }

  /// MIGRATE host port key|"" db timeout [COPY] [REPLACE] [AUTH …] [KEYS key …]
  private static func migrate(
    _ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>
  ) -> KeyPositions? {
    guard arguments.count > 5 else { return nil }
    guard arguments[3].isEmpty else { return KeyPositions(first: 3, runCount: 1) }
    var index = 6
    while index < arguments.count {
      let argument = bytes.extracting(arguments[index])
      if argument.isWord("keys") {
        let count = arguments.count - index - 1
        return count > 0 ? KeyPositions(first: index + 1, runCount: count) : nil
      }
      index += argument.isWord("auth") ? 2 : argument.isWord("auth2") ? 3 : 1
    }
    return KeyPositions(first: 3, runCount: 1)
  }
}
