// How fast a run may write: what --max-rate says, and the bucket that keeps it.

/// The most that may be written in a second; nil for no limit.
struct RateLimit: Sendable, Equatable {
  /// What it looks like, for messages.
  static let form =
    "commands a second, bytes a second with a unit, or both: 5000, 10mb or 5000,10mb; or none"

  static let none = RateLimit(commandsPerSecond: nil, bytesPerSecond: nil)

  /// Snapshot keys and commands of the stream.
  var commandsPerSecond: UInt64?
  var bytesPerSecond: UInt64?

  init(commandsPerSecond: UInt64?, bytesPerSecond: UInt64?) {
    self.commandsPerSecond = commandsPerSecond
    self.bytesPerSecond = bytesPerSecond
  }

  /// Reads `5000`, `10mb`, `5000,10mb` or `none`; nil for anything else.
  init?(_ text: String) {
    self = .none
    if text == "none" { return }
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      if let number = Quantity.number(String(part)) {
        guard commandsPerSecond == nil, number > 0 else { return nil }
        commandsPerSecond = number
      } else {
        guard bytesPerSecond == nil, let bytes = Quantity.bytes(String(part)), bytes > 0 else {
          return nil
        }
        bytesPerSecond = bytes
      }
    }
  }

  /// As it is written, in the largest unit that says it exactly.
  var text: String {
    var parts: [String] = []
    if let commandsPerSecond { parts.append("\(commandsPerSecond)") }
    if let bytesPerSecond {
      let units = ["b", "kb", "mb", "gb", "tb"]
      let unit =
        (0..<units.count).last { bytesPerSecond.isMultiple(of: 1 << (10 * UInt64($0))) } ?? 0
      parts.append("\(bytesPerSecond >> (10 * UInt64(unit)))\(units[unit])")
    }
    return parts.isEmpty ? "none" : parts.joined(separator: ",")
  }
}

/// A bucket that fills at a rate and may be overdrawn: whoever takes from it takes all he needs at
/// once, and the next one waits until the debt is paid. So a batch need not be divided.
struct TokenBucket: Sendable {
  /// What may be taken at once after a rest, as a part of a second's worth.
  static let burstsPerSecond = 20.0

  private let perMillisecond: Double
  private let capacity: Double
  private var tokens: Double
  private var filledMilliseconds: Int64

  /// A full bucket.
  init(perSecond: UInt64, nowMilliseconds: Int64) {
    perMillisecond = Double(perSecond) / 1000
    capacity = max(1, Double(perSecond) / Self.burstsPerSecond)
    tokens = capacity
    filledMilliseconds = nowMilliseconds
  }

  /// How long until something may be taken, in milliseconds; 0 for at once.
  mutating func delay(nowMilliseconds: Int64) -> Int64 {
    let passed = max(0, nowMilliseconds - filledMilliseconds)
    filledMilliseconds = max(filledMilliseconds, nowMilliseconds)
    tokens = min(capacity, tokens + Double(passed) * perMillisecond)
    if tokens > 0 { return 0 }
    return Int64(exactly: (-tokens / perMillisecond).rounded(.up)).map { max(1, $0) } ?? .max
  }

  /// Takes so much, whether it is there or not.
  mutating func take(_ count: Int) {
    tokens -= Double(count)
  }
}
