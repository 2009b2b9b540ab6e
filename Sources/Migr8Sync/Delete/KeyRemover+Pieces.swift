// A large value at a server that cannot free memory beside its work: taken apart some hundred elements at a
// time, so that no single command holds the server up.

import ReplicaLink

extension KeyRemover {
  /// Removes a value that nobody uses, piece by piece.
  mutating func removeInPieces(_ key: [UInt8]) throws(ReplayError) {
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
      case "set": isDone = try removeScanned(key, "SSCAN", "SREM", step: 1)
      case "hash": isDone = try removeScanned(key, "HSCAN", "HDEL", step: 2)
      default:
        _ = try source.ask([Array("DEL".utf8), key])
        isDone = true
      }
      if isDone { return }
      try progress.pause(microseconds: Self.shortRestMicroseconds)
    }
  }

  private mutating func removeScanned(
    _ key: [UInt8], _ scan: String, _ remove: String, step: Int
  ) throws(ReplayError) -> Bool {
    let reply = try source.ask(
      [
        Array(scan.utf8), key, Array("0".utf8), Array("COUNT".utf8),
        Array("\(Self.pieceElements)".utf8),
      ])
    let items = reply.array?.last?.array ?? []
    let names = stride(from: 0, to: items.count, by: step).compactMap { index -> [UInt8]? in
      if case .bulk(let name) = items[index] { return name }
      return nil
    }
    if names.isEmpty {
      _ = try source.ask([Array("DEL".utf8), key])
      return true
    }
    _ = try source.ask([Array(remove.utf8), key] + names)
    return false
  }
}
