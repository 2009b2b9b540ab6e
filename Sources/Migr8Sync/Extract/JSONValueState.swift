// JSONValueState: the elements of a value as JSON, one after the other: brackets and commas between them
// depend on what came before.

import RDBParser
import ReplicaLink

/// Where in a value's JSON we are.
struct JSONValueState {
  /// Whether nothing has been written in the innermost list.
  var isFirst = true
  private var isStream = false
  private var isList = false
  /// What is open within a stream's groups.
  private var hasGroups = false
  private var stage = GroupStage.pending
  private var isFirstConsumer = true
  /// Whether `"returned"` has begun: it stands behind the consumers.
  private enum GroupStage {
    case pending
    case consumers
    case owned
    case returned
  }

  static func typeName(_ type: RDBType) -> StaticString {
    switch type.kind {
    case .string: "string"
    case .list: "list"
    case .set: "set"
    case .sortedSet: "zset"
    case .hash: "hash"
    case .stream: "stream"
    case .array: "array"
    case .module, .unknown: "module"
    }
  }

  mutating func begin(_ type: RDBType) {
    let kind = type.kind
    isFirst = true
    isStream = kind == .stream
    isList = ![.stream, .string, .module].contains(kind)
    hasGroups = false
  }

  /// Appends an element; at the end what closes the value.
  mutating func append(
    _ element: RDBElement, _ reader: borrowing RDBReader, to buffer: inout ByteBuffer
  ) {
    switch element {
    case .string:
      reader.withElement { buffer.append(json: $0) }
    case .listItem, .setMember:
      open(&buffer)
      reader.withElement { buffer.append(json: $0) }
    case .sortedSetMember(let score):
      open(&buffer)
      buffer.append("[")
      reader.withElement { buffer.append(json: $0) }
      buffer.append(",")
      buffer.append(score: score)
      buffer.append("]")
    case .hashField(let expiry):
      open(&buffer)
      buffer.append("[")
      reader.withElement { buffer.append(json: $0) }
      buffer.append(",")
      reader.withElementValue { buffer.append(json: $0) }
      if let expiry {
        buffer.append(",")
        buffer.append(decimal: expiry)
      }
      buffer.append("]")
    case .arrayItem(let index):
      open(&buffer)
      buffer.append("[")
      buffer.append(unsigned: index)
      buffer.append(",")
      reader.withElement { buffer.append(json: $0) }
      buffer.append("]")
    case .module(let id):
      buffer.append("{\"module\":")
      buffer.append(json: Array(id.name.utf8).span)
      buffer.append("}")
    case .end:
      end(&buffer)
    default:
      appendStream(element, reader, &buffer)
    }
  }

  /// A comma, or the bracket that opens the list.
  private mutating func open(_ buffer: inout ByteBuffer) {
    buffer.append(byte: isFirst ? UInt8(ascii: "[") : UInt8(ascii: ","))
    isFirst = false
  }

  private mutating func end(_ buffer: inout ByteBuffer) {
    if isStream {
      buffer.append(hasGroups ? "]}" : "[]}")
    } else if isList {
      buffer.append(isFirst ? "[]" : "]")
    }
  }

  // MARK: Streams

  private mutating func appendStream(
    _ element: RDBElement, _ reader: borrowing RDBReader, _ buffer: inout ByteBuffer
  ) {
    switch element {
    case .streamEntry(let id, let count):
      buffer.append(isFirst ? "{\"entries\":[[" : ",[")
      isFirst = false
      buffer.append(streamID: id.milliseconds, id.sequence)
      buffer.append(",[")
      for index in 0..<count {
        if index > 0 { buffer.append(",") }
        reader.withElementField(index) { name, value in
          buffer.append(json: name)
          buffer.append(",")
          buffer.append(json: value)
        }
      }
      buffer.append("]]")
    case .streamInfo:
      buffer.append(isFirst ? "{\"entries\":[]," : "],")
      append(reader.streamInfo, &buffer)
      buffer.append(",\"groups\":")
    default:
      appendGroup(element, reader, &buffer)
    }
  }

  private func append(_ info: RDBStreamInfo, _ buffer: inout ByteBuffer) {
    buffer.append("\"length\":")
    buffer.append(unsigned: info.length)
    buffer.append(",\"last_id\":")
    buffer.append(streamID: info.lastID.milliseconds, info.lastID.sequence)
    buffer.append(",\"max_deleted_id\":")
    if let id = info.maxDeletedID {
      buffer.append(streamID: id.milliseconds, id.sequence)
    } else {
      buffer.append("null")
    }
    buffer.append(",\"entries_added\":")
    if let added = info.entriesAdded {
      buffer.append(unsigned: added)
    } else {
      buffer.append("null")
    }
  }

  private mutating func appendGroup(
    _ element: RDBElement, _ reader: borrowing RDBReader, _ buffer: inout ByteBuffer
  ) {
    switch element {
    case .streamGroup(let group):
      buffer.append(hasGroups ? ",{\"name\":" : "[{\"name\":")
      hasGroups = true
      reader.withElement { buffer.append(json: $0) }
      buffer.append(",\"last_id\":")
      buffer.append(streamID: group.lastID.milliseconds, group.lastID.sequence)
      buffer.append(",\"entries_read\":")
      if let read = group.entriesRead {
        buffer.append(unsigned: read)
      } else {
        buffer.append("null")
      }
      buffer.append(",\"pending\":[")
      (stage, isFirst, isFirstConsumer) = (.pending, true, true)
    case .streamPending(let pending):
      comma(&buffer)
      buffer.append("[")
      buffer.append(streamID: pending.id.milliseconds, pending.id.sequence)
      buffer.append(",")
      buffer.append(decimal: pending.deliveryMilliseconds)
      buffer.append(",")
      buffer.append(unsigned: pending.deliveries)
      buffer.append("]")
    case .streamConsumer(let consumer):
      move(to: .consumers, &buffer)
      if !isFirstConsumer { buffer.append(",") }
      isFirstConsumer = false
      buffer.append("{\"name\":")
      reader.withElement { buffer.append(json: $0) }
      buffer.append(",\"seen_ms\":")
      buffer.append(decimal: consumer.seenMilliseconds)
      buffer.append(",\"active_ms\":")
      if let active = consumer.activeMilliseconds {
        buffer.append(decimal: active)
      } else {
        buffer.append("null")
      }
      buffer.append(",\"pending\":[")
      (stage, isFirst) = (.owned, true)
    case .streamOwned(let id):
      comma(&buffer)
      buffer.append(streamID: id.milliseconds, id.sequence)
    case .streamReturned(let id):
      move(to: .returned, &buffer)
      comma(&buffer)
      buffer.append(streamID: id.milliseconds, id.sequence)
    case .streamGroupEnd:
      move(to: .returned, &buffer)
      buffer.append("]}")
    default: break
    }
  }

  private mutating func comma(_ buffer: inout ByteBuffer) {
    if !isFirst { buffer.append(",") }
    isFirst = false
  }

  /// Closes what is open in a group up to the next part of it.
  private mutating func move(to next: GroupStage, _ buffer: inout ByteBuffer) {
    if stage == .returned { return }
    if stage == .pending { buffer.append("],\"consumers\":[") }
    if stage == .owned { buffer.append("]}") }
    stage = .consumers
    if next == .returned {
      buffer.append("],\"returned\":[")
      (stage, isFirst) = (.returned, true)
    }
  }
}
