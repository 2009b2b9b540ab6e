// A destination that only collects: what a reader of the link has understood so far.

import Testing

@testable import ReplicaLink

/// Reads a link's stream into commands, going back as the link says.
final class Follower {
  let running: RunningLink
  let reader: Int
  private var isStreaming = false
  /// The stream from its beginning, or from where it was last announced.
  private(set) var bytes: [UInt8] = []
  private var bytesStart: UInt64 = 0
  private(set) var snapshots = 0
  private(set) var snapshot: [UInt8] = []
  private(set) var rewinds = 0
  private(set) var reasons: [String?] = []

  init(_ running: RunningLink, reader: Int = 0) {
    self.running = running
    self.reader = reader
  }

  var end: UInt64 { bytesStart + UInt64(bytes.count) }

  func step() throws {
    let (event, more) = try running.next(reader)
    switch event {
    case .snapshot(_, let reason):
      snapshots += 1
      snapshot = []
      isStreaming = false
      reasons.append(reason)
      bytes = []
    case .snapshotEnd: break
    case .stream(let place):
      bytesStart = place.offset
      bytes = []
      isStreaming = true
    case .rewound(let boundary):
      rewinds += 1
      bytes.removeLast(bytes.count - Int(boundary - bytesStart))
    case .bytes: if isStreaming { bytes += more } else { snapshot += more }
    case .timedOut: break
    }
  }

  func follow(to goal: UInt64) throws {
    while !isStreaming || end < goal { try step() }
  }

  /// The numbers that were pushed to a list, in order.
  func numbers() throws -> [Int] {
    var decoder = CommandDecoder(offset: bytesStart)
    bytes.withUnsafeBytes { decoder.append($0) }
    var numbers: [Int] = []
    while try decoder.next() == .command {
      let words = decoder.arguments().map { String(decoding: $0, as: UTF8.self) }
      if words[0].uppercased() == "RPUSH" { numbers.append(try #require(Int(words[2]))) }
    }
    return numbers
  }
}
