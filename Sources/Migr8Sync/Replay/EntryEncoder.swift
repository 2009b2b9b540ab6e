// From a snapshot entry to the command that writes it. The bytes of a value in the snapshot are the
// bytes of a RESTORE payload: nothing is decoded that is only passed on.

import RDBParser
import ReplicaLink

/// Encodes snapshot keys for one destination. A class, because it is called for every key from inside of
/// closures, and each call would copy a structure of many references.
final class EntryEncoder: Sendable {
  /// What keys are called there.
  let mapping: KeyMapping
  let conflicts: ConflictPolicy
  /// Whether the destination's SET takes PXAT (Redis 6.2).
  let setTakesExpiry: Bool

  init(mapping: KeyMapping, conflicts: ConflictPolicy, setTakesExpiry: Bool) {
    self.mapping = mapping
    self.conflicts = conflicts
    self.setTakesExpiry = setTakesExpiry
  }

  /// Appends the command that writes a key with its whole value to `buffer`.
  ///
  /// A plain string becomes SET: no checksum, no payload to take apart. Everything else becomes
  /// RESTORE.
  ///
  /// - Throws: when the value is of a type that no RESTORE can carry.
  func append(
    _ entry: RDBEntry, key: Span<UInt8>, value: Span<UInt8>, to buffer: inout ByteBuffer
  ) throws(ReplayError) {
    if entry.type == .string && (entry.expiryMilliseconds == nil || setTakesExpiry),
      appendSet(entry, key, value, &buffer)
    {
      return
    }
    try appendRestore(entry, key, value, &buffer)
  }

  /// How strings are written of which several go as one command.
  var runKind: CommandRun.Kind {
    if case .replace = conflicts { return .set }
    return .setNew
  }

  /// Appends key and value of a plain, short string. False: it is neither, and nothing was appended.
  func appendOperands(
    key: Span<UInt8>, value: Span<UInt8>, to buffer: inout ByteBuffer
  ) -> Bool {
    guard key.count + value.count <= CommandRun.operandBytesMax,
      let string = try? RDBString(parsing: value)
    else { return false }
    switch string {
    case .raw(let length, let offset):
      buffer.appendBulk(key: key, mapping)
      buffer.appendBulk(value.extracting(offset..<offset + length))
    case .integer(let number, _):
      buffer.appendBulk(key: key, mapping)
      buffer.appendBulk(decimal: number)
    case .lzf: return false
    }
    return true
  }

  /// False: the string is compressed, RESTORE hands it over as it is.
  private func appendSet(
    _ entry: RDBEntry, _ key: Span<UInt8>, _ value: Span<UInt8>, _ buffer: inout ByteBuffer
  ) -> Bool {
    guard let string = try? RDBString(parsing: value) else { return false }
    switch string {
    case .raw(let length, let offset):
      appendSetHead(entry, key, &buffer)
      buffer.appendBulk(value.extracting(offset..<offset + length))
    case .integer(let number, _):
      appendSetHead(entry, key, &buffer)
      buffer.appendBulk(decimal: number)
    case .lzf:
      return false
    }
    if let expiry = entry.expiryMilliseconds {
      buffer.append("$4\r\nPXAT\r\n")
      buffer.appendBulk(decimal: max(1, expiry))
    }
    if case .replace = conflicts { return true }
    buffer.append("$2\r\nNX\r\n")
    return true
  }

  private func appendSetHead(
    _ entry: RDBEntry, _ key: Span<UInt8>, _ buffer: inout ByteBuffer
  ) {
    var count = entry.expiryMilliseconds == nil ? 3 : 5
    if case .replace = conflicts {} else { count += 1 }
    buffer.appendArrayHeader(count)
    buffer.append("$3\r\nSET\r\n")
    buffer.appendBulk(key: key, mapping)
  }

  private func appendRestore(
    _ entry: RDBEntry, _ key: Span<UInt8>, _ value: Span<UInt8>, _ buffer: inout ByteBuffer
  ) throws(ReplayError) {
    guard let version = DumpPayload.footerVersion(for: entry.type) else {
      throw ReplayError(
        "reading the snapshot at byte \(entry.offset): key \(mapping.shown(key.copy)) is of type"
          + " \(entry.type), which cannot be moved by RESTORE (leave it out of the filter)")
    }
    var count = 4
    if case .replace = conflicts { count += 1 }
    if entry.expiryMilliseconds != nil { count += 1 }
    buffer.reserve(value.count + key.count + 128)
    buffer.appendArrayHeader(count)
    buffer.append("$7\r\nRESTORE\r\n")
    buffer.appendBulk(key: key, mapping)
    // Zero would mean "never expires": an expiry at or before 1970 has passed all the same.
    buffer.appendBulk(decimal: entry.expiryMilliseconds.map { max(1, $0) } ?? 0)
    buffer.appendBulkHeader(DumpPayload.overhead + value.count)
    buffer.append(byte: entry.type.rawValue)
    buffer.append(value)
    var payload = DumpPayload(type: entry.type)
    payload.update(value)
    buffer.append(payload.footer(version: version).span)
    buffer.append("\r\n")
    if case .replace = conflicts { buffer.append("$7\r\nREPLACE\r\n") }
    if entry.expiryMilliseconds != nil { buffer.append("$6\r\nABSTTL\r\n") }
  }
}

extension Span where Element == UInt8 {
  /// The bytes, kept.
  var copy: [UInt8] { withUnsafeBufferPointer { Array($0) } }
}

extension ByteBuffer {
  /// Appends a key by the name it has at the destination, as an argument.
  @inline(__always)
  fileprivate mutating func appendBulk(key: Span<UInt8>, _ mapping: KeyMapping) {
    guard mapping.renamesKeys, let rewrite = mapping.rewrite(of: key) else {
      return appendBulk(key)
    }
    appendBulkHeader(key.count - rewrite.old.count + rewrite.new.count)
    append(rewrite.new.span)
    append(key.extracting(droppingFirst: rewrite.old.count))
    append("\r\n")
  }
}
