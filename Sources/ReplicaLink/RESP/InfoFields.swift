// The answer to INFO as names and values.

/// Every `name:value` line of an answer to `INFO`.
public struct InfoFields: Sendable {
  /// The values by their names.
  public let values: [String: String]

  /// Parses the text of an answer; other lines are passed over. Cost: linear in its length.
  public init(_ text: String) {
    var values: [String: String] = [:]
    for line in text.split(whereSeparator: \.isNewline) {
      guard !line.hasPrefix("#"), let colon = line.firstIndex(of: ":") else { continue }
      values[String(line[..<colon])] = String(line[line.index(after: colon)...])
    }
    self.values = values
  }

  /// The value called `name`.
  public subscript(name: String) -> String? { values[name] }

  /// The value called `name`, where it is a number that is not negative.
  public func number(_ name: String) -> UInt64? { values[name].flatMap { UInt64($0) } }
}
