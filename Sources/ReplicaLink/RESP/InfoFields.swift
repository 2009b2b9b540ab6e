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

  /// The offset up to which the server's replication history is the one of this id: where it stands, or
  /// where it took a name of its own. Nil where it is another history, or the server does not say.
  public func historyEnd(of identity: String) -> UInt64? {
    let wanted = identity.lowercased()
    guard let offset = number("master_repl_offset") else { return nil }
    if self["master_replid"]?.lowercased() == wanted { return offset }
    guard self["master_replid2"]?.lowercased() == wanted,
      let second = number("second_repl_offset"), second > 0
    else { return nil }
    return min(second - 1, offset)
  }
}
