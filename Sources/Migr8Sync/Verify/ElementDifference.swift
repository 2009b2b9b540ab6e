// Where two values part: the first element that differs, in words for an operator. For values that are
// small enough to be held; without I/O.

import RDBParser

/// Finds the first element in which two values differ.
enum ElementDifference {
  /// What differs; empty when nothing is found.
  static func describe(_ source: RDBValue, _ destination: RDBValue) -> String {
    switch (source, destination) {
    case (.string(let mine), .string(let other)): return strings(mine, other)
    case (.list(let mine), .list(let other)): return items(mine, other)
    case (.set(let mine), .set(let other)):
      return members(
        pairs(mine.map { ($0, "") }), pairs(other.map { ($0, "") }), "member")
    case (.sortedSet(let mine), .sortedSet(let other)):
      return members(
        pairs(mine.map { ($0.member, "score \($0.score + 0)") }),
        pairs(other.map { ($0.member, "score \($0.score + 0)") }), "member")
    case (.hash(let mine), .hash(let other)):
      return members(pairs(mine.map(field)), pairs(other.map(field)), "field")
    case (.stream(let mine), .stream(let other)): return streams(mine, other)
    default: return ""
    }
  }

  /// A DUMP payload as a value; nil for one that cannot be read, or is too large to be held.
  static func value(of payload: [UInt8]) -> RDBValue? {
    do {
      let contents = try DumpPayload.open(payload.span)
      var reader = try RDBReader(valueOf: contents.type, key: [UInt8]().span)
      reader.append(payload.span.extracting(contents.value))
      reader.finishInput()
      return try reader.readWholeValue()
    } catch {
      return nil
    }
  }

  static func strings(_ mine: [UInt8], _ other: [UInt8]) -> String {
    let place = zip(mine, other).prefix { $0 == $1 }.count
    if mine.count != other.count {
      return "\(mine.count) bytes at the source, \(other.count) at the destination,"
        + " the same up to byte \(place)"
    }
    return "byte \(place) of \(mine.count)"
  }

  private static func items(_ mine: [[UInt8]], _ other: [[UInt8]]) -> String {
    let place = zip(mine, other).prefix { $0 == $1 }.count
    if place < mine.count, place < other.count {
      return "item \(place) is \(shown(mine[place])) at the source,"
        + " \(shown(other[place])) at the destination"
    }
    return "\(mine.count) items at the source, \(other.count) at the destination,"
      + " the same up to item \(place)"
  }

  private static func field(_ field: RDBHashField) -> ([UInt8], String) {
    let expiry = field.expiryMilliseconds.map { ", expires at \($0)" } ?? ""
    return (field.name, shown(field.value) + expiry)
  }

  private static func pairs(_ elements: [([UInt8], String)]) -> [[UInt8]: String] {
    Dictionary(elements) { first, _ in first }
  }

  /// Members are compared by name; of several that differ the first by name is told.
  private static func members(
    _ mine: [[UInt8]: String], _ other: [[UInt8]: String], _ kind: String
  ) -> String {
    var first: [UInt8]?
    for (name, value) in mine where other[name] != value { first = lesser(first, name) }
    for name in other.keys where mine[name] == nil { first = lesser(first, name) }
    guard let first else { return "" }
    let name = kind.isEmpty ? String(decoding: first, as: UTF8.self) : "\(kind) \(shown(first))"
    guard let value = mine[first] else { return "\(name) is at the destination only" }
    guard let theirs = other[first] else { return "\(name) is at the source only" }
    return "\(name): \(value) at the source, \(theirs) at the destination"
  }

  private static func lesser(_ first: [UInt8]?, _ name: [UInt8]) -> [UInt8] {
    guard let first else { return name }
    return name.lexicographicallyPrecedes(first) ? name : first
  }

  // MARK: - Streams

  private static func streams(_ mine: RDBStream, _ other: RDBStream) -> String {
    let entries = members(
      entryTexts(mine.entries), entryTexts(other.entries), "entry")
    if !entries.isEmpty { return entries }
    if mine.info.lastID != other.info.lastID {
      return "last id \(mine.info.lastID) at the source, \(other.info.lastID) at the destination"
    }
    let groups = members(groupTexts(mine), groupTexts(other), "")
    if !groups.isEmpty { return groups }
    if mine.info.entriesAdded != other.info.entriesAdded {
      return "entries ever added: \(number(mine.info.entriesAdded)) at the source,"
        + " \(number(other.info.entriesAdded)) at the destination"
    }
    return "largest id ever deleted: \(mine.info.maxDeletedID?.description ?? "not known") at the"
      + " source, \(other.info.maxDeletedID?.description ?? "not known") at the destination"
  }

  private static func number(_ value: UInt64?) -> String { value.map { "\($0)" } ?? "not known" }

  private static func entryTexts(_ entries: [RDBStream.Entry]) -> [[UInt8]: String] {
    pairs(
      entries.map { entry in
        // Ids as big as each other in digits sort as they should.
        (Array("\(entry.id)".utf8), entry.fields.map { shown($0) }.joined(separator: " "))
      })
  }

  /// A line for each group, consumer and pending entry.
  private static func groupTexts(_ stream: RDBStream) -> [[UInt8]: String] {
    var texts: [([UInt8], String)] = []
    for group in stream.groups {
      let name = "group \(shown(group.name))"
      texts.append((Array(name.utf8), "last id \(group.info.lastID)"))
      var owners: [RDBStreamID: [UInt8]] = [:]
      for consumer in group.consumers {
        texts.append((Array("\(name), consumer \(shown(consumer.name))".utf8), ""))
        for id in consumer.pending { owners[id] = consumer.name }
      }
      for pending in group.pending {
        let owner = owners[pending.id].map { "of \(shown($0))" } ?? "of nobody"
        texts.append(
          (
            Array("\(name), pending \(pending.id)".utf8),
            "\(owner), delivered \(pending.deliveries) times, last at"
              + " \(pending.deliveryMilliseconds)"
          ))
      }
    }
    return pairs(texts)
  }

  private static func shown(_ bytes: [UInt8]) -> String { Printable.key(bytes) }
}
