// How much a key takes, before its value is fetched: what is large is read in pieces. A server without MEMORY
// USAGE, before 4.0 or under another name, is asked for the number of elements in its place.

import ReplicaLink

extension VerifyEnd {
  /// What an element counts for where only their number is known, in bytes. Rather too much: a value that
  /// is taken for a large one is read in more pieces than necessary, and that is all.
  private static let elementBytes: UInt64 = 1 << 10
  /// The commands that tell how long a value is; those of other types are refused.
  private static let lengths = ["STRLEN", "LLEN", "SCARD", "ZCARD", "HLEN", "XLEN"]

  /// Whether an error says that there is no such command.
  static func isUnknownCommand(_ line: String?) -> Bool {
    line?.hasPrefix("ERR unknown command") ?? false
  }

  /// Enqueues the question how much memory a key takes.
  mutating func enqueueSize(_ key: [UInt8]) {
    guard knowsMemory else {
      connection.enqueue([Array("EXISTS".utf8), key])
      for length in Self.lengths { connection.enqueue([Array(length.utf8), key]) }
      return
    }
    connection.enqueue(
      [Array("MEMORY".utf8), Array("USAGE".utf8), key, Array("SAMPLES".utf8), Array("5".utf8)])
  }

  /// The answer: in bytes; nil when there is no such key.
  mutating func receiveSize(_ key: [UInt8]) throws(ReplayError) -> UInt64? {
    guard knowsMemory else { return try receiveLength(key) }
    let reply = try receive([Array("MEMORY USAGE".utf8), key])
    return reply.integer.map { UInt64(clamping: $0) }
  }

  private mutating func receiveLength(_ key: [UInt8]) throws(ReplayError) -> UInt64? {
    let isThere = try receive([Array("EXISTS".utf8), key]).integer == 1
    // Of a module's value nothing is known.
    var bytes = Self.elementBytes
    for length in Self.lengths {
      let reply = try receive()
      if let line = reply.errorLine {
        if line.hasPrefix("WRONGTYPE") || Self.isUnknownCommand(line) { continue }
        throw refusal(line, [Array(length.utf8), key])
      }
      let count = UInt64(clamping: reply.integer ?? 0)
      bytes = max(bytes, length == "STRLEN" ? count : count.saturatingMultiply(Self.elementBytes))
    }
    return isThere ? bytes : nil
  }
}
