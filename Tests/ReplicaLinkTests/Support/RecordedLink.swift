// The recorded links kept beside the project: every byte a replica received from real servers.

import Foundation

@testable import ReplicaLink

/// One recording, taken apart by its framing alone.
struct RecordedLink {
  static let labels = ["2.8", "3.2", "4.0", "5.0", "6.0", "7.4"]
  static let absence = "no ../shared/fixtures beside the project"

  private static let folder: URL = {
    var url = URL(fileURLWithPath: #filePath)
    for _ in 0..<4 { url.deleteLastPathComponent() }
    return url.appending(path: "../shared/fixtures/by-version").standardizedFileURL
  }()

  static let arePresent = FileManager.default.fileExists(
    atPath: folder.appending(path: "redis-7.4.link").path)

  /// Every byte, from the answer to PSYNC on.
  let bytes: [UInt8]
  /// The offset in the answer to PSYNC.
  let offset: UInt64
  let replicationID: String
  /// The snapshot in `bytes`, without its framing.
  let snapshot: Range<Int>
  /// The 40 bytes that end the snapshot, where it is framed so.
  let mark: [UInt8]?
  /// The commands.
  let stream: [UInt8]

  init(_ label: String) throws {
    let file = Self.folder.appending(path: "redis-\(label).link")
    let bytes = [UInt8](try Data(contentsOf: file))
    self.bytes = bytes
    var lines: [String] = []
    var position = 0
    while lines.count < 2 {
      var line: [UInt8] = []
      while bytes[position] != 10 {
        line.append(bytes[position])
        position += 1
      }
      position += 1
      if line.last == 13 { line.removeLast() }
      if !line.isEmpty { lines.append(String(decoding: line, as: UTF8.self)) }
    }
    let words = lines[0].split(separator: " ")
    replicationID = String(words[1])
    offset = UInt64(words[2]) ?? 0
    if lines[1].hasPrefix("$EOF:") {
      let mark = Array(lines[1].utf8.dropFirst(5))
      self.mark = mark
      // In these recordings the mark stands once more, where the snapshot ends.
      let end = (position..<bytes.count - 40).first { bytes[$0..<$0 + 40].elementsEqual(mark) } ?? 0
      snapshot = position..<end
      stream = Array(bytes[(end + 40)...])
    } else {
      mark = nil
      snapshot = position..<position + (Int(lines[1].dropFirst()) ?? 0)
      stream = Array(bytes[snapshot.upperBound...])
    }
  }
}
