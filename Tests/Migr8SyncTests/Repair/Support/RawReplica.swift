// A replica that only records: it attaches to an empty source and decodes the stream as it comes.

import Glibc
import ReplicaLink

@testable import Migr8Sync

final class RawReplica {
  private let socket: Socket
  private var decoder: CommandDecoder
  private var raw: [UInt8] = []
  /// The offset behind the last byte that has arrived.
  private(set) var received: UInt64
  private(set) var startOffset: UInt64

  init(of server: RedisServer) throws {
    socket = try RedisConnection.open(try RedisURL(server.url), timeouts: Timeouts()).takeSocket()
    decoder = CommandDecoder(offset: 0)
    (received, startOffset) = (0, 0)
    try send("PSYNC", "?", "-1")
    let words = try line().split(separator: " ")
    guard words.count == 3, let offset = UInt64(words[2]) else {
      throw RedisServer.Failure(reason: "PSYNC: \(words)")
    }
    guard let length = Int(try line().dropFirst()) else {
      throw RedisServer.Failure(reason: "not a snapshot with a length")
    }
    while raw.count < length { try fill() }
    raw.removeFirst(length)
    decoder = CommandDecoder(offset: offset)
    (received, startOffset) = (offset, offset)
    take()
  }

  private func send(_ words: String...) throws {
    let bytes = RESP.encode(words.map { Array($0.utf8) })
    _ = try bytes.withUnsafeBytes { try socket.send($0) }
  }

  private func line() throws -> String {
    while true {
      while raw.first == 10 { raw.removeFirst() }
      if let end = raw.firstIndex(of: 13), end + 1 < raw.count {
        defer { raw.removeFirst(end + 2) }
        return String(decoding: raw[..<end], as: UTF8.self)
      }
      try fill()
    }
  }

  /// Waits for bytes.
  private func fill() throws {
    let deadline = Clock.monotonicMilliseconds() + 30_000
    guard socket.wait(for: Int32(POLLIN), untilMilliseconds: deadline) else {
      throw RedisServer.Failure(reason: "the source sends nothing")
    }
    _ = try receive()
  }

  private func receive() throws -> Bool {
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    guard
      case .bytes(let count) = try chunk.withUnsafeMutableBytes({ try socket.receive(into: $0) })
    else { return false }
    raw += chunk[..<count]
    return true
  }

  private func take() {
    raw.withUnsafeBytes { decoder.append($0) }
    received += UInt64(raw.count)
    raw = []
  }

  /// Takes in whatever has arrived.
  func pump() throws {
    while try receive() {}
    take()
    try send("REPLCONF", "ACK", "\(received)")
  }

  /// Takes in everything up to an offset.
  func pump(upTo offset: UInt64) throws {
    while received + UInt64(raw.count) < offset { try fill() }
    try pump()
  }

  /// A command of the stream.
  struct Command {
    var words: [[UInt8]]
    var bytes: [UInt8]
    var arguments: [Range<Int>]
    var start: UInt64
    var end: UInt64
  }

  /// The next command that has arrived.
  func next() throws -> Command? {
    guard try decoder.next() != .needsInput else { return nil }
    let (start, end) = (decoder.startOffset, decoder.endOffset)
    return decoder.withCommand { (bytes, arguments) in
      Command(
        words: arguments.map { Array(bytes[$0]) }, bytes: Array(bytes), arguments: Array(arguments),
        start: start, end: end)
    }
  }
}

extension TestConnection {
  /// The replication offset of a master, or what a replica has applied.
  func offset() throws -> UInt64 {
    let facts = ServerFacts(info: try self("INFO", "replication").text ?? "")
    return (facts.isReplica ? facts.appliedOffset : facts.replicationOffset) ?? 0
  }
}
