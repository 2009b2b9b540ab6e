// DryRunReport: what a run would move, found by reading the whole snapshot and writing nothing.

/// The tallies of a dry run.
struct DryRunReport: Sendable {
  /// A number of keys and their bytes.
  struct Tally: Sendable, Equatable {
    var keys: UInt64 = 0
    var bytes: UInt64 = 0

    fileprivate mutating func add(_ bytes: UInt64) {
      keys += 1
      self.bytes = self.bytes.addingReportingOverflow(bytes).partialValue
    }
  }

  /// One of the biggest keys.
  struct BigKey: Sendable {
    var key: [UInt8]
    var database: Int
    var type: String
    var bytes: UInt64
  }

  /// How many of the biggest keys are kept.
  static let biggestMax = 10

  /// The destination, where there are several.
  var address: String?
  /// All keys of the snapshot, whether they match or not.
  var keysRead: UInt64 = 0
  /// The matching keys that the destination has already, where that was counted.
  var keysAtDestination: UInt64?
  /// The keys that would move; bytes are those of the snapshot.
  private(set) var total = Tally()
  private(set) var byType: [String: Tally] = [:]
  private(set) var byDatabase: [Int: Tally] = [:]
  /// The biggest keys, biggest first.
  private(set) var biggest: [BigKey] = []

  /// Counts a key that would move. Cost: two look-ups; copies the key only while it is among the
  /// biggest.
  ///
  /// - Parameters:
  ///   - database: Its database at the source.
  ///   - type: The name of its type, as `TYPE` says it.
  ///   - bytes: What it takes in the snapshot.
  mutating func add(key: Span<UInt8>, database: Int, type: String, bytes: UInt64) {
    total.add(bytes)
    byType[type, default: Tally()].add(bytes)
    byDatabase[database, default: Tally()].add(bytes)
    if biggest.count == Self.biggestMax {
      guard let smallest = biggest.last, bytes > smallest.bytes else { return }
      biggest.removeLast()
    }
    var copy: [UInt8] = []
    copy.reserveCapacity(key.count)
    for index in key.indices { copy.append(key[index]) }
    let place = biggest.firstIndex { $0.bytes < bytes } ?? biggest.endIndex
    biggest.insert(BigKey(key: copy, database: database, type: type, bytes: bytes), at: place)
  }

  /// The types, the one with the most bytes first.
  private var types: [(name: String, tally: Tally)] {
    byType.map { (name: $0.key, tally: $0.value) }
      .sorted { ($0.tally.bytes, $1.name) > ($1.tally.bytes, $0.name) }
  }

  // MARK: For a person

  /// The report; ends with a newline.
  func text() -> String {
    var lines = [
      "Dry run\(address.map { " for \($0)" } ?? ""): nothing was written.", "",
      "Would move \(HumanNumber.count(total.keys)) of \(HumanNumber.count(keysRead)) keys, "
        + "\(HumanNumber.bytes(total.bytes)) as they are in the snapshot.",
    ]
    if let held = keysAtDestination {
      lines.append(
        held == 0
          ? "The destination holds no matching key."
          : "The destination holds \(HumanNumber.count(held)) matching keys already: a run needs "
            + "--on-conflict replace|skip or --clear-dest.")
    }
    if total.keys > 0 {
      lines += table("type", types.map { ($0.name, $0.tally) })
      let databases = byDatabase.sorted { $0.key < $1.key }
      lines += table("db", databases.map { (String($0.key), $0.value) })
      lines.append("")
      let rows = biggest.map { big in
        [HumanNumber.bytes(big.bytes), big.type, String(big.database), Printable.key(big.key)]
      }
      lines += TextTable.lines([["bytes", "type", "db", "the biggest keys"]] + rows, right: [0])
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private func table(_ title: String, _ tallies: [(String, Tally)]) -> [String] {
    let rows = tallies.map { name, tally in
      [name, HumanNumber.count(tally.keys), HumanNumber.bytes(tally.bytes)]
    }
    return [""] + TextTable.lines([[title, "keys", "bytes"]] + rows, right: [1, 2])
  }

  // MARK: For a program

  /// The report as one JSON object, without a newline.
  func json() -> String {
    var object = JSONObject()
    object.add("event", "dry_run")
    if let address { object.add("address", address) }
    object.add("keys_read", keysRead)
    object.add("keys", total.keys)
    object.add("bytes", total.bytes)
    if let keysAtDestination { object.add("keys_at_destination", keysAtDestination) }
    var byName = JSONObject()
    for (name, tally) in types { byName.add(name, Self.json(tally)) }
    object.add("by_type", byName)
    var byNumber = JSONObject()
    for (number, tally) in byDatabase.sorted(by: { $0.key < $1.key }) {
      byNumber.add(String(number), Self.json(tally))
    }
    object.add("by_db", byNumber)
    object.add("biggest", biggest.map(Self.json))
    return object.text
  }

  private static func json(_ tally: Tally) -> JSONObject {
    var object = JSONObject()
    object.add("keys", tally.keys)
    object.add("bytes", tally.bytes)
    return object
  }

  private static func json(_ big: BigKey) -> JSONObject {
    var object = JSONObject()
    object.add("key", bytes: big.key)
    object.add("db", Int64(big.database))
    object.add("type", big.type)
    object.add("bytes", big.bytes)
    return object
  }
}
