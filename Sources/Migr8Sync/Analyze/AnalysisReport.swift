// AnalysisReport: an analysis as tables for a terminal, and as one JSON object, which is also what the page
// is made of.

import RDBParser
import ReplicaLink

/// An analysis, ready to be shown.
struct AnalysisReport {
  let analysis: Analysis
  /// What was analyzed.
  let name: String
  /// The server that it is, or comes from.
  var source = "redis://OLD:6379"
  /// What the numbers are estimated from; nil where they were counted.
  var sample: ServerSample?
  /// Prefixes in the JSON object at most.
  private static let branchesMax = 2_000
  /// Prefixes in the table at most, and the share of the memory from which on one is in it.
  private static let rowsMax = 40
  private static let permilleMin: UInt64 = 5
  /// Big keys in the table.
  private static let keysShown = 10

  private var root: PrefixTree.Branch { analysis.tree.branches(limit: Self.branchesMax) }

  // MARK: For a person

  /// The tables; ends with a newline.
  func text() -> String {
    let (root, total) = (root, analysis.total)
    var lines = [
      "\(HumanNumber.count(total.keys)) keys, \(HumanNumber.bytes(total.bytes)) in the file,"
        + " about \(HumanNumber.bytes(total.memory)) in memory."
    ]
    if let sample {
      lines.append(
        "Estimated from a sample of \(HumanNumber.count(sample.keysSeen)) of"
          + " \(HumanNumber.count(sample.keysHeld)) keys; the biggest keys are those of the sample."
      )
    }
    if total.keys == 0 { return lines.joined(separator: "\n") + "\n" }
    var rows = [["prefix", "keys", "expiring", "in file", "in memory", "share"]]
    addRows(root, 0, &rows)
    lines += [""] + TextTable.lines(rows, right: [1, 2, 3, 4, 5])
    lines += table("type", byType)
    lines += table("encoding", byEncoding)
    if analysis.byDatabase.count > 1 {
      lines += table(
        "db", analysis.byDatabase.sorted { $0.key < $1.key }.map { (String($0.key), $0.value) })
    }
    lines += table("time to live", lifetimes)
    var keys = [["in memory", "in file", "type", "db", "the biggest keys"]]
    for big in analysis.biggest.prefix(Self.keysShown) {
      keys.append([
        HumanNumber.bytes(big.memory), HumanNumber.bytes(big.bytes), big.type.logicalName,
        String(big.database), Printable.key(big.key),
      ])
    }
    lines += [""] + TextTable.lines(keys, right: [0, 1])
    if let choice = Analysis.choice(in: root) {
      let name = Printable.key(choice.prefix)
      if let command = Analysis.command(for: choice.prefix, at: source) {
        lines += ["", "To move \(name) to a server of its own:", "  " + command]
      } else {
        lines += [
          "", "To move \(name), which is not text, to a server of its own:",
          "  name a file with --config, and put this line into it: "
            + Analysis.configLine(for: choice.prefix),
        ]
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private func addRows(_ branch: PrefixTree.Branch, _ depth: Int, _ rows: inout [[String]]) {
    for child in branch.children {
      let permille = child.tally.memory / max(1, analysis.total.memory / 1000)
      guard permille >= Self.permilleMin, rows.count <= Self.rowsMax else { return }
      let indent = String(repeating: "  ", count: depth)
      rows.append([
        indent + Printable.key(child.prefix), HumanNumber.count(child.tally.keys),
        HumanNumber.count(child.tally.expiring), HumanNumber.bytes(child.tally.bytes),
        HumanNumber.bytes(child.tally.memory), "\(permille / 10).\(permille % 10) %",
      ])
      addRows(child, depth + 1, &rows)
    }
  }

  private func table(_ title: String, _ tallies: [(String, PrefixTally)]) -> [String] {
    let rows = tallies.filter { $0.1.keys > 0 }.map { name, tally in
      [
        name, HumanNumber.count(tally.keys), HumanNumber.bytes(tally.bytes),
        HumanNumber.bytes(tally.memory),
      ]
    }
    return [""]
      + TextTable.lines([[title, "keys", "in file", "in memory"]] + rows, right: [1, 2, 3])
  }

  // MARK: Groups

  private var byType: [(String, PrefixTally)] {
    grouped { $0.logicalName }
  }

  private var byEncoding: [(String, PrefixTally)] {
    grouped(Self.encoding)
  }

  private func grouped(_ name: (RDBType) -> String) -> [(String, PrefixTally)] {
    var tallies: [String: PrefixTally] = [:]
    for (type, tally) in analysis.byType.values {
      tallies[name(type), default: PrefixTally()].add(tally)
    }
    return tallies.sorted { ($0.value.memory, $1.key) > ($1.value.memory, $0.key) }
      .map { ($0.key, $0.value) }
  }

  private var lifetimes: [(String, PrefixTally)] {
    [("never expires", analysis.persistent)]
      + zip(Analysis.lifetimes, analysis.byLifetime).map { ($0.name, $1) }
  }

  /// How the file stores a type: as the server had it in memory, but for its version's changes.
  private static func encoding(_ type: RDBType) -> String {
    let form =
      switch type {
      case .string: "plain"
      case .list: "linked list"
      case .set, .hash, .hashTTL, .valkeyHash2: "hashtable"
      case .sortedSet, .sortedSet2: "skiplist"
      case .hashZipmap: "zipmap"
      case .listZiplist, .sortedSetZiplist, .hashZiplist: "ziplist"
      case .setIntset: "intset"
      case .quicklist, .quicklist2: "quicklist"
      case .hashListpack, .sortedSetListpack, .setListpack, .hashListpackTTL: "listpack"
      case .stream, .stream2, .stream3, .stream4, .stream5: "stream"
      default: "number \(type.rawValue)"
      }
    return form == type.logicalName ? form : "\(type.logicalName), \(form)"
  }

  // MARK: For a program

  /// One object, without a newline.
  func json() -> String {
    let root = root
    var object = JSONObject()
    object.add("file", name)
    object.add("time_ms", analysis.now)
    if let sample {
      object.add("sampled_keys", sample.keysSeen)
      object.add("keys_held", sample.keysHeld)
    }
    object.add("separators", String(decoding: analysis.separators, as: UTF8.self))
    Self.add(analysis.total, to: &object)
    object.add("types", byType.map(Self.named))
    object.add("encodings", byEncoding.map(Self.named))
    object.add(
      "dbs",
      analysis.byDatabase.sorted { $0.key < $1.key }.map { Self.named((String($0.key), $0.value)) })
    object.add("lifetimes", lifetimes.map(Self.named))
    object.add("expiring_by_hour", analysis.byHour)
    object.add("biggest", analysis.biggest.map(Self.json))
    object.add("prefixes", root.children.map(json))
    if let choice = Analysis.choice(in: root) {
      addWay(of: choice.prefix, to: &object)
    }
    return object.text
  }

  /// How a prefix is moved: by a command, or where none can name it by a line in a file of options.
  private func addWay(of prefix: [UInt8], to object: inout JSONObject) {
    if let command = Analysis.command(for: prefix, at: source) {
      object.add("sync", command)
    } else {
      object.add("config", Analysis.configLine(for: prefix))
    }
  }

  private static func add(_ tally: PrefixTally, to object: inout JSONObject) {
    object.add("keys", tally.keys)
    object.add("expiring", tally.expiring)
    object.add("bytes", tally.bytes)
    object.add("memory", tally.memory)
  }

  private static func named(_ group: (String, PrefixTally)) -> JSONObject {
    var object = JSONObject()
    object.add("name", group.0)
    add(group.1, to: &object)
    return object
  }

  private static func json(_ big: Analysis.BigKey) -> JSONObject {
    var object = JSONObject()
    object.add("key", bytes: big.key)
    object.add("db", Int64(big.database))
    object.add("type", big.type.logicalName)
    object.add("encoding", encoding(big.type))
    object.add("bytes", big.bytes)
    object.add("memory", big.memory)
    if let expiry = big.expiryMilliseconds { object.add("expire_at_ms", expiry) }
    return object
  }

  private func json(_ branch: PrefixTree.Branch) -> JSONObject {
    var object = JSONObject()
    object.add("prefix", bytes: branch.prefix)
    Self.add(branch.tally, to: &object)
    addWay(of: branch.prefix, to: &object)
    object.add("children", branch.children.map(json))
    return object
  }
}
