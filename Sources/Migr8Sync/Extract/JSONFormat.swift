// The formats jsonl and json: an object for each key, on a line of its own; or all of them in one array.
// The members and the forms of values are told in docs/extract.md.

import RDBParser
import ReplicaLink

/// Writes JSON.
struct JSONFormat: ExtractFormat, ~Copyable {
  /// Strings are held up to this size to see whether they are UTF-8; longer ones go as base64.
  static let stringBytesMax = 4 << 20

  private var output: OutputStream
  private let isArray: Bool
  private var isFirst = true
  private var state = JSONValueState()
  /// Bytes of a string in parts that do not fill three for base64 yet.
  private var rest: [UInt8] = []

  init(_ output: consuming OutputStream, isArray: Bool) {
    self.output = output
    self.isArray = isArray
  }

  mutating func begin(_ header: RDBHeader) throws(ReplayError) {
    if isArray { output.write { $0.append("[") } }
  }

  mutating func take(
    _ entry: RDBEntry, key: Span<UInt8>, from snapshot: inout SnapshotReader
  ) throws(ReplayError) {
    try output.beginEntry()
    output.write { buffer in
      if isArray { buffer.append(isFirst ? "\n" : ",\n") }
      buffer.append("{\"db\":")
      buffer.append(decimal: Int64(entry.database))
      buffer.append(",\"key\":")
      buffer.append(json: key)
      buffer.append(",\"type\":\"")
      buffer.append(JSONValueState.typeName(entry.type))
      buffer.append("\",\"expire_at_ms\":")
      if let expiry = entry.expiryMilliseconds {
        buffer.append(decimal: expiry)
      } else {
        buffer.append("null")
      }
      buffer.append(",\"value\":")
    }
    state.begin(entry.type)
    try takeValue(from: &snapshot)
    output.write { $0.append(isArray ? "}" : "}\n") }
    isFirst = false
  }

  private mutating func takeValue(from snapshot: inout SnapshotReader) throws(ReplayError) {
    while true {
      let element = try snapshot.nextElement()
      if case .string(let length, let isLast) = element, length > UInt64(Self.stringBytesMax) {
        takePart(isLast: isLast, snapshot)
      } else {
        output.write { state.append(element, snapshot.reader, to: &$0) }
      }
      if case .end = element { return }
      try output.spill()
    }
  }

  /// A part of a string that is too long to be held.
  private mutating func takePart(isLast: Bool, _ snapshot: borrowing SnapshotReader) {
    output.write { buffer in
      if state.isFirst { buffer.append("{\"base64\":\"") }
      state.isFirst = false
      snapshot.reader.withElement { part in
        part.withUnsafeBytes { bytes in
          // What is left of the part before, and as much as makes three.
          var start = 0
          while !rest.isEmpty, rest.count < 3, start < bytes.count {
            rest.append(bytes[start])
            start += 1
          }
          if rest.count == 3 {
            rest.withUnsafeBytes { buffer.append(base64: $0) }
            rest.removeAll(keepingCapacity: true)
          }
          let whole = rest.isEmpty ? (bytes.count - start) / 3 * 3 : 0
          buffer.append(base64: UnsafeRawBufferPointer(rebasing: bytes[start..<start + whole]))
          rest += bytes[(start + whole)...]
        }
      }
      if isLast {
        rest.withUnsafeBytes { buffer.append(base64: $0) }
        rest.removeAll(keepingCapacity: true)
        buffer.append("\"}")
      }
    }
  }

  mutating func takeBack() throws(ReplayError) {
    try output.rewindEntry()
    rest.removeAll()
  }

  mutating func end() throws(ReplayError) {
    if isArray {
      try output.beginEntry()
      output.write { $0.append("\n]\n") }
    }
    try output.finish()
  }

  mutating func publish() throws(ReplayError) { try output.publish() }

  mutating func abandon() { output.abandon() }
}
