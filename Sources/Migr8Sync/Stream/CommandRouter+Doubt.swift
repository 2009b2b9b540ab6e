// The router's view of commands that the destination was sent in a transaction of which nobody has read
// the reply: they are applied, unless one was refused inside it. Which, the destination does not say a
// second time; so the keys they wrote are read again from the source.

extension CommandRouter {
  /// Enters the keys of a command that went through `route`, where its reply could have said that they
  /// are not as the source has them.
  ///
  /// - Parameter boundary: what the destination has applied.
  /// - Returns: false when there is no room.
  mutating func doubt(
    _ bytes: Span<UInt8>, arguments: Span<Range<Int>>, atBoundary boundary: UInt64
  ) -> Bool {
    guard !arguments.isEmpty, let shape = table.shape(named: bytes.extracting(arguments[0])),
      !Self.isCertain(bytes, arguments),
      let keys = table.keys(of: shape, in: bytes, arguments: arguments)
    else { return true }
    for database in databases(of: shape, bytes, arguments, selected: database) {
      for position in 0..<keys.count {
        let key = bytes.extracting(arguments[keys[position]])
        guard doubt(key, database, boundary) else { return false }
      }
    }
    return true
  }

  /// Enters the keys of a command that went through `route`, as far as there is room.
  ///
  /// - Parameter offset: where it begins.
  mutating func repair(_ bytes: Span<UInt8>, arguments: Span<Range<Int>>, at offset: UInt64) {
    guard !arguments.isEmpty, let shape = table.shape(named: bytes.extracting(arguments[0])),
      let keys = table.keys(of: shape, in: bytes, arguments: arguments)
    else { return }
    for position in 0..<keys.count {
      let key = bytes.extracting(arguments[keys[position]])
      if standing(of: key, selected: database) == .outside { continue }
      _ = repairs.request(KeyName(database: database, key: key), at: offset)
    }
  }

  /// How a command is treated; nil for one that nobody knows.
  func kind(of bytes: Span<UInt8>, arguments: Span<Range<Int>>) -> CommandShape.Kind? {
    arguments.isEmpty ? nil : table.shape(named: bytes.extracting(arguments[0]))?.kind
  }

  /// The same for keys that the source was asked for.
  mutating func doubt(_ keys: [[UInt8]], atBoundary boundary: UInt64) -> Bool {
    for key in keys where !doubt(key.span, database, boundary) { return false }
    return true
  }

  private mutating func doubt(
    _ key: Span<UInt8>, _ database: Int, _ boundary: UInt64
  ) -> Bool {
    if standing(of: key, selected: database) == .outside { return true }
    return repairs.request(KeyName(database: database, key: key), atBoundary: boundary)
  }

  /// Whether a command leaves its keys the same, whatever they were before: no transaction refuses it
  /// alone, and no reply to it says anything. Most of a stream is of this kind.
  private static func isCertain(_ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>) -> Bool {
    let name = bytes.extracting(arguments[0])
    for word in certain where name.isWord(word) { return true }
    // With options it may depend on what is there.
    return name.isWord("set") ? arguments.count == 3 : false
  }

  private static let certain: [StaticString] = [
    "del", "unlink", "touch", "mset", "setex", "psetex",
  ]
}
