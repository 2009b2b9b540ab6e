// Runs a reader over bytes in chosen portions and records all it says, so that runs can be compared.

import RDBParser

/// One event with the bytes that belong to it.
struct Recorded: Equatable, CustomStringConvertible {
  var event: RDBEvent
  var key: [UInt8] = []
  var value: [UInt8] = []
  var isWhole = true
  var decoded: RDBValue?

  var entry: RDBEntry? {
    if case .entry(let entry) = event { return entry }
    return nil
  }

  var description: String { "\(event) \(RDBTest.text(key)) \(value.count) bytes, whole \(isWhole)" }
}

/// Everything a run gave.
struct Recording: Equatable {
  var events: [Recorded] = []
  var error: RDBError?
  var remainder: [UInt8] = []

  var entries: [Recorded] { events.filter { $0.entry != nil } }
  var trailer: RDBTrailer? {
    if case .end(let trailer)? = events.last?.event { return trailer }
    return nil
  }
}

/// What is done with the value of each entry.
enum ValueReading { case read, skipped, decoded }

enum RDBTest {
  static func bytes(_ span: Span<UInt8>) -> [UInt8] {
    span.withUnsafeBufferPointer { [UInt8]($0) }
  }

  static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  /// Reads `file` with input arriving in portions of the given sizes, the last one repeating.
  static func record(
    _ file: [UInt8], portions: [Int] = [Int.max], values: ValueReading = .read,
    options: RDBReaderOptions = .init()
  ) -> Recording {
    var feed = Feed(file: file, portions: portions)
    var reader = RDBReader(options: options)
    var recording = Recording()
    do {
      while true {
        let event = try reader.next()
        if event == .needsInput {
          feed.give(&reader)
          continue
        }
        var recorded = Recorded(event: event)
        switch event {
        case .entry:
          recorded.key = reader.withKey { bytes($0) }
          recording.events.append(recorded)
          switch values {
          case .read: try readValue(&reader, &feed, into: &recording)
          case .skipped: break
          case .decoded:
            while true {
              let value = try reader.readWholeValue()
              recording.events[recording.events.count - 1].decoded = value
              if value != nil { break }
              feed.give(&reader)
            }
          }
          continue
        case .auxiliary:
          reader.withAuxiliary { name, value in
            recorded.key = bytes(name)
            recorded.value = bytes(value)
          }
        case .function:
          recorded.value = reader.withFunction { bytes($0) }
        default: break
        }
        recording.events.append(recorded)
        if case .end = event {
          recording.remainder = reader.withRemainder { bytes($0) } + feed.rest
          return recording
        }
      }
    } catch {
      recording.error = error
      return recording
    }
  }

  private static func readValue(
    _ reader: inout RDBReader, _ feed: inout Feed, into recording: inout Recording
  ) throws(RDBError) {
    let last = recording.events.count - 1
    while true {
      let step = try reader.readValue()
      if step == .needsInput {
        feed.give(&reader)
        continue
      }
      recording.events[last].value += reader.withValue { bytes($0) }
      recording.events[last].isWhole = step == .whole
      if step != .chunk { return }
    }
  }
}

/// A file that is handed over in portions.
struct Feed {
  var file: [UInt8]
  var portions: [Int]
  var offset = 0
  var given = 0

  var rest: [UInt8] { Array(file[offset...]) }

  mutating func give(_ reader: inout RDBReader) {
    let size = min(portions[min(given, portions.count - 1)], file.count - offset)
    given += 1
    if size == 0 { return reader.finishInput() }
    reader.append(file.span.extracting(offset..<(offset + size)))
    offset += size
  }
}
