// From a fetched value to the commands that write it: one RESTORE where the destination knows the type,
// plain commands where it does not, UNLINK where there is no such key.

import RDBParser
import ReplicaLink

/// Encodes repairs for one destination.
struct RepairEncoder: Sendable {
  let mapping: KeyMapping
  let types: RestorableTypes
  let features: RDBCommandFeatures

  /// Appends the commands that make the destination's key what the value says. They belong into one
  /// transaction, together with the checkpoint.
  ///
  /// - Returns: how many commands there are, and so replies.
  /// - Throws: when the payload is damaged, or the destination's version cannot hold the value.
  func append(_ value: RepairValue, to buffer: inout ByteBuffer) throws(ReplayError) -> Int {
    let key = mapping.destinationKey(of: value.name.key)
    guard let payload = value.payload else {
      buffer.appendCommand([Array("UNLINK".utf8), key])
      return 1
    }
    do {
      let contents = try DumpPayload.open(payload.span)
      let bytes = payload.span.extracting(contents.value)
      if types.contains(contents.type),
        let version = DumpPayload.footerVersion(for: contents.type)
      {
        appendRestore(value, contents.type, bytes, version, key, &buffer)
        return 1
      }
      return try appendCommands(value, contents.type, bytes, key, &buffer)
    } catch let error as RDBError {
      throw ReplayError(
        "repairing key \(mapping.shown(value.name.key)): its value cannot be written: \(error)")
    } catch let error as ReplayError {
      throw error
    } catch {
      throw ReplayError("repairing key \(mapping.shown(value.name.key)): \(error)")
    }
  }

  /// RESTORE with a footer of the oldest version that knows the type, so that an older destination
  /// takes it.
  private func appendRestore(
    _ value: RepairValue, _ type: RDBType, _ bytes: Span<UInt8>, _ version: UInt16,
    _ key: [UInt8], _ buffer: inout ByteBuffer
  ) {
    buffer.reserve(bytes.count + key.count + 128)
    buffer.appendArrayHeader(value.expiryMilliseconds == nil ? 5 : 6)
    buffer.append("$7\r\nRESTORE\r\n")
    buffer.appendBulk(key.span)
    // Zero would mean "never expires": an expiry at or before 1970 has passed all the same.
    buffer.appendBulk(decimal: value.expiryMilliseconds.map { max(1, $0) } ?? 0)
    buffer.appendBulkHeader(DumpPayload.overhead + bytes.count)
    buffer.append(byte: type.rawValue)
    buffer.append(bytes)
    var payload = DumpPayload(type: type)
    payload.update(bytes)
    buffer.append(payload.footer(version: version).span)
    buffer.append("\r\n$7\r\nREPLACE\r\n")
    if value.expiryMilliseconds != nil { buffer.append("$6\r\nABSTTL\r\n") }
  }

  private func appendCommands(
    _ value: RepairValue, _ type: RDBType, _ bytes: Span<UInt8>, _ key: [UInt8],
    _ buffer: inout ByteBuffer
  ) throws -> Int {
    buffer.appendCommand([Array("UNLINK".utf8), key])
    var count = 1
    var reader = try RDBReader(
      valueOf: type, key: key.span, expiryMilliseconds: value.expiryMilliseconds.map { max(1, $0) })
    reader.commandOptions.features = features
    reader.append(bytes)
    reader.finishInput()
    while true {
      switch try reader.nextCommands() {
      case .needsInput:
        throw ReplayError("repairing key \(mapping.shown(value.name.key)): its value is cut off")
      case .commands(let more):
        reader.withCommands { buffer.append($0) }
        count += more
      case .end(let report):
        guard report.droppedFieldExpiries == 0, report.droppedReturned == 0 else {
          throw ReplayError(
            "repairing key \(mapping.shown(value.name.key)): fields that expire by themselves, or pending entries"
              + " without an owner, which the destination's version cannot hold (use a newer"
              + " destination, or leave the key out of the filter)")
        }
        return count
      }
    }
  }
}
