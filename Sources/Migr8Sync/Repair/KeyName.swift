// KeyName: a key and the source's database it lives in, as repairs speak of it.

/// One key of the source.
struct KeyName: Sendable, Hashable, CustomStringConvertible {
  /// The source's database.
  var database: Int
  /// The key as the source calls it.
  var key: [UInt8]

  /// Makes a name.
  init(database: Int, key: [UInt8]) {
    self.database = database
    self.key = key
  }

  /// Makes a name from borrowed bytes.
  init(database: Int, key: Span<UInt8>) {
    self.init(database: database, key: key.copy)
  }

  /// The database in decimal, a colon, the key: how a checkpoint keeps it.
  var encoded: [UInt8] {
    Array("\(database):".utf8) + key
  }

  /// Reads what `encoded` wrote; `nil` for anything else.
  init?(encoded: [UInt8]) {
    guard let colon = encoded.firstIndex(of: UInt8(ascii: ":")),
      let number = encoded.span.extracting(0..<colon).integer, number >= 0,
      let database = Int(exactly: number)
    else { return nil }
    self.init(database: database, key: Array(encoded[(colon + 1)...]))
  }

  /// The key in a form that is safe to print, and the database when it is not the first.
  var description: String {
    database == 0 ? Printable.key(key) : "\(Printable.key(key)) (db \(database))"
  }
}
