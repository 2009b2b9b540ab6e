// A large value at a server that cannot free memory beside its work: taken apart some hundred elements at a
// time, so that no single command holds the server up.

import ReplicaLink

extension KeyRemover {
  /// A walk over the members of a value, round after round.
  private struct Rounds {
    static let start = Array("0".utf8)

    var cursor = start
    /// Whether this round has found nothing so far. A page without members says nothing of the rest.
    var isEmpty = true
  }

  /// Removes a value that nobody uses, piece by piece.
  mutating func removeInPieces(_ key: [UInt8]) throws(ReplayError) {
    var rounds = Rounds()
    while true {
      if progress.isCancelled { throw .interrupted }
      let last = Array("\(Self.pieceElements - 1)".utf8)
      let isDone: Bool
      switch try source.ask([Array("TYPE".utf8), key]).text ?? "none" {
      case "list":
        _ = try source.ask(
          [Array("LTRIM".utf8), key, Array("\(Self.pieceElements)".utf8), Array("-1".utf8)])
        isDone = false
      case "zset":
        _ = try source.ask([Array("ZREMRANGEBYRANK".utf8), key, Array("0".utf8), last])
        isDone = false
      case "set": isDone = try removeScanned(key, "SSCAN", "SREM", step: 1, &rounds)
      case "hash": isDone = try removeScanned(key, "HSCAN", "HDEL", step: 2, &rounds)
      case "stream": isDone = try trimStream(key)
      default:
        _ = try source.ask([Array("DEL".utf8), key])
        isDone = true
      }
      if isDone { return }
      try progress.pause(microseconds: Self.shortRestMicroseconds)
    }
  }

  /// Removes a page of members; true when the value is gone.
  private mutating func removeScanned(
    _ key: [UInt8], _ scan: String, _ remove: String, step: Int, _ rounds: inout Rounds
  ) throws(ReplayError) -> Bool {
    let reply = try source.ask(
      [
        Array(scan.utf8), key, rounds.cursor, Array("COUNT".utf8),
        Array("\(Self.pieceElements)".utf8),
      ])
    guard let parts = reply.array, parts.count == 2, case .bulk(let next) = parts[0] else {
      throw ReplayError(
        "removing \(Printable.key(key)) at \(source.peer): the answer to \(scan) makes no sense")
    }
    let items = parts[1].bulks
    let names = stride(from: 0, to: items.count, by: step).map { items[$0] }
    if !names.isEmpty {
      rounds.isEmpty = false
      _ = try source.ask([Array(remove.utf8), key] + names)
    }
    rounds.cursor = next
    guard next == Rounds.start else { return false }
    if rounds.isEmpty { _ = try source.ask([Array("DEL".utf8), key]) }
    defer { rounds.isEmpty = true }
    return rounds.isEmpty
  }

  /// Removes the oldest entries of a stream; true when it is gone.
  private mutating func trimStream(_ key: [UInt8]) throws(ReplayError) -> Bool {
    let length = max(0, try source.ask([Array("XLEN".utf8), key]).integer ?? 0)
    let left = length - Int64(Self.pieceElements)
    guard left > 0 else {
      _ = try source.ask([Array("DEL".utf8), key])
      return true
    }
    _ = try source.ask(
      [Array("XTRIM".utf8), key, Array("MAXLEN".utf8), Array("\(left)".utf8)])
    return false
  }
}
