// The formats keys, csv and count: a line for each key, or the number of keys alone.

import RDBParser
import ReplicaLink

/// Writes lines about keys.
struct ListFormat: ExtractFormat, ~Copyable {
  /// What a line says.
  enum Content {
    case key
    case row
    case nothing
  }

  private var output: OutputStream
  private let content: Content
  private var count: UInt64 = 0

  init(_ output: consuming OutputStream, _ content: Content) {
    self.output = output
    self.content = content
  }

  mutating func begin(_ header: RDBHeader) throws(ReplayError) {
    if case .row = content {
      output.write { $0.append("db,key,type,expire_at_ms,bytes,memory\r\n") }
    }
  }

  mutating func take(
    _ entry: RDBEntry, key: Span<UInt8>, from snapshot: inout SnapshotReader
  ) throws(ReplayError) {
    count += 1
    switch content {
    case .nothing: return
    case .key:
      try output.beginEntry()
      output.write { buffer in
        Self.append(key, to: &buffer)
        buffer.append("\n")
      }
    case .row:
      let size = try EntrySize.read(entry, key: key, from: &snapshot)
      try output.beginEntry()
      output.write { Self.append(entry, key, size, to: &$0) }
    }
  }

  /// The key as it is where it is plain ASCII without spaces, else the way redis-cli shows it.
  private static func append(_ key: Span<UInt8>, to buffer: inout ByteBuffer) {
    if isPlain(key) {
      buffer.append(key)
    } else {
      buffer.append(Array(Printable.wholeKey(key).utf8).span)
    }
  }

  private static func append(
    _ entry: RDBEntry, _ key: Span<UInt8>, _ size: EntrySize, to buffer: inout ByteBuffer
  ) {
    buffer.append(decimal: Int64(entry.database))
    buffer.append(",")
    appendCell(key, to: &buffer)
    buffer.append(",")
    buffer.append(JSONValueState.typeName(entry.type))
    buffer.append(",")
    if let expiry = entry.expiryMilliseconds { buffer.append(decimal: expiry) }
    buffer.append(",")
    buffer.append(unsigned: size.bytes)
    buffer.append(",")
    buffer.append(unsigned: size.memory)
    buffer.append("\r\n")
  }

  /// A cell as RFC 4180 has it: in quotes where it holds a comma or quotes.
  private static func appendCell(_ key: Span<UInt8>, to buffer: inout ByteBuffer) {
    if isPlain(key) {
      if !contains(key, UInt8(ascii: ",")) { return buffer.append(key) }
    }
    buffer.append("\"")
    for byte in Printable.wholeKey(key).utf8 {
      if byte == UInt8(ascii: "\"") { buffer.append("\"") }
      buffer.append(byte: byte)
    }
    buffer.append("\"")
  }

  private static func isPlain(_ key: Span<UInt8>) -> Bool {
    if key.isEmpty { return false }
    for index in key.indices {
      let byte = key[index]
      if byte <= 0x20 || byte > 0x7E || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
        return false
      }
    }
    return true
  }

  private static func contains(_ key: Span<UInt8>, _ byte: UInt8) -> Bool {
    for index in key.indices where key[index] == byte { return true }
    return false
  }

  mutating func takeBack() throws(ReplayError) {
    // The line of a key is begun when its value has been read.
    count -= 1
  }

  mutating func end() throws(ReplayError) {
    if case .nothing = content {
      output.write { buffer in
        buffer.append(unsigned: count)
        buffer.append("\n")
      }
    }
    try output.finish()
  }

  mutating func publish() throws(ReplayError) { try output.publish() }

  mutating func abandon() { output.abandon() }
}
