// A master that says again what a real one of an old version once said: the links kept beside the
// project, played to whoever attaches. It answers nothing else, as if it allowed its user nothing.

import Foundation
import ReplicaLink
import Synchronization

/// One recording: what the replica got, and the state that the master ended in.
struct RecordedLink {
  static let labels = ["2.8", "3.2", "4.0", "5.0", "6.0", "7.4"]
  private static let folder = packageRoot + "/../shared/fixtures/by-version"
  static let arePresent = access("\(folder)/redis-2.8.link", R_OK) == 0

  /// Every byte, from the answer to PSYNC on.
  let bytes: [UInt8]
  /// Where the stream begins in them.
  let streamStart: Int
  /// Whether the snapshot ends with a mark, behind which the master waits for the first answer.
  let endsWithMark: Bool
  /// The offset of the last byte.
  let endOffset: Int
  /// Such as `redis_version:2.8.24`.
  let version: String
  /// The keys in the end, as the master told them.
  let state: [[String: Any]]

  init(_ label: String) throws {
    bytes = try [UInt8](
      Data(contentsOf: URL(fileURLWithPath: "\(Self.folder)/redis-\(label).link")))
    let truth = try JSONSerialization.jsonObject(
      with: try Data(contentsOf: URL(fileURLWithPath: "\(Self.folder)/redis-\(label).link.json")))
    guard let truth = truth as? [String: Any], let state = truth["state"] as? [[String: Any]],
      let version = (truth["server"] as? [String])?.first
    else { throw TestFailure("\(label): a truth of another form") }
    (self.state, self.version) = (state, version)
    var lines: [String] = []
    var position = 0
    while lines.count < 2 {
      guard let end = bytes[position...].firstIndex(of: 10) else { throw TestFailure("cut off") }
      let line = String(decoding: bytes[position..<end], as: UTF8.self)
        .filter { !$0.isWhitespace || $0 == " " }
      position = end + 1
      if !line.isEmpty { lines.append(line) }
    }
    let start = Int(lines[0].split(separator: " ").last ?? "") ?? 0
    if lines[1].hasPrefix("$EOF:") {
      let mark = Array(lines[1].utf8.dropFirst(5))
      let bytes = bytes
      let end = (position..<bytes.count - mark.count).first {
        bytes[$0..<$0 + mark.count].elementsEqual(mark)
      }
      streamStart = (end ?? position) + mark.count
      endsWithMark = true
    } else {
      streamStart = position + (Int(lines[1].dropFirst()) ?? 0)
      endsWithMark = false
    }
    endOffset = start + bytes.count - streamStart
  }

  /// Keys with a deadline that has passed since, in the snapshot or by a command of the stream, and what
  /// came out of such a key: at a destination of today they are gone at once, and later writes find
  /// nothing.
  func expiredSince(_ now: Int) -> Set<String> {
    var words = bytes[streamStart...].split(separator: 13, omittingEmptySubsequences: false)
      .map { String(decoding: $0.drop { $0 == 10 }, as: UTF8.self) }[...]
    var expired = expiringInSnapshot(before: now)
    while let header = words.popFirst() {
      guard header.hasPrefix("*"), let count = Int(header.dropFirst()) else { continue }
      let command = (0..<count).compactMap { _ in (words.popFirst(), words.popFirst()).1 }
      let keys = command.filter { $0.hasPrefix("in:") }
      let isPast = command.contains { Int($0).map { $0 > 1_600_000_000_000 && $0 < now } ?? false }
      if !isPast, expired.isDisjoint(with: keys) { continue }
      expired.formUnion(keys)
    }
    return expired
  }
}

extension RecordedLink {
  /// Found by the form of an entry alone: 0xFC, eight bytes of milliseconds, a type, a short key.
  private func expiringInSnapshot(before now: Int) -> Set<String> {
    var keys: Set<String> = []
    for place in 0..<max(0, streamStart - 80) where bytes[place] == 0xFC {
      let time = (1...8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64(bytes[place + $1]) }
      let length = Int(bytes[place + 10])
      let key = String(decoding: bytes[(place + 11)...].prefix(length), as: UTF8.self)
      if time < now, length < 64, key.hasPrefix("in:") { keys.insert(key) }
    }
    return keys
  }
}

/// Plays a recording to everyone who attaches, and to the last of them what a test says beyond it.
final class RecordedMaster: Sendable {
  let port: Int
  private let listener: Listener
  private let replica = Guarded<Int32?>(nil)
  /// The offsets of the ACKs that came.
  private let heard = Guarded<[Int]>([])
  /// Gives the offset at which a key that it is asked about is not there; nil hangs up. Without it nobody is
  /// told.
  let answer = Guarded<(@Sendable () -> Int?)?>(nil)

  convenience init(_ link: RecordedLink) throws {
    try self.init(
      link.bytes, streamStart: link.streamStart, waits: link.endsWithMark, version: link.version)
  }

  /// The history of one of today.
  private static let id = String(repeating: "a", count: 40)

  /// One of today without a key.
  convenience init() throws {
    let rdb = Array("REDIS0010".utf8) + [0xFF] + [UInt8](repeating: 0, count: 8)
    let bytes = Array("+FULLRESYNC \(Self.id) 0\r\n$\(rdb.count)\r\n".utf8) + rdb
    try self.init(bytes, streamStart: bytes.count, waits: false, version: "redis_version:7.0.15")
  }

  private init(_ bytes: [UInt8], streamStart: Int, waits: Bool, version: String) throws {
    let listener = try Listener()
    self.listener = listener
    port = listener.port
    let info = "\(version)\r\nrole:master\r\nloading:0\r\n"
    let (replica, heard, answer) = (replica, heard, answer)
    pthread_detach(
      startThread {
        while let connection = listener.accept() {
          pthread_detach(
            startThread {
              try? Self.converse(
                connection, bytes, streamStart: streamStart, waits, info: info, replica, heard,
                answer)
              close(connection)
            })
        }
      })
  }

  /// Writes commands to the stream; says where they end, counted from the first that was said.
  func say(_ commands: [String]...) throws -> Int {
    guard let connection = replica.withLock({ $0 }) else { throw TestFailure("nobody attached") }
    let bytes = commands.map { words in
      "*\(words.count)\r\n" + words.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()
    }.joined()
    try sendAll(connection, Array(bytes.utf8))
    return said.withLock {
      $0 += bytes.utf8.count
      return $0
    }
  }

  private let said = Guarded(0)

  var isAttached: Bool { replica.withLock { $0 != nil } }
  /// The offsets that were acknowledged, in their order.
  var acknowledged: [Int] { heard.withLock { $0 } }

  deinit {
    listener.stop()
  }

  var url: String { "redis://127.0.0.1:\(port)" }

  private static func converse(
    _ connection: Int32, _ recording: [UInt8], streamStart: Int, _ waitsForAnswer: Bool,
    info: String, _ replica: Guarded<Int32?>, _ heard: Guarded<[Int]>,
    _ answer: Guarded<(@Sendable () -> Int?)?>
  ) throws {
    var asked: (@Sendable () -> Int?)?
    var owed: ArraySlice<UInt8> = []
    var received: [UInt8] = []
    while let words = try command(connection, &received) {
      switch (words[0].uppercased(), words.dropFirst().first?.uppercased()) {
      case ("EXEC", _) where asked != nil:
        guard let offset = asked?() else { return }
        asked = nil
        let place = "master_replid:\(id)\r\nmaster_repl_offset:\(offset)\r\n"
        let reply = "*3\r\n$-1\r\n:-2\r\n$\(place.utf8.count)\r\n\(place)\r\n"
        try sendAll(connection, Array(reply.utf8))
      case _ where asked != nil: try sendAll(connection, Array("+QUEUED\r\n".utf8))
      case ("REPLCONF", "ACK"):
        heard.withLock { $0.append(Int(words[2]) ?? -1) }
        try sendAll(connection, Array(owed))
        owed = []
      case ("PSYNC", _):
        let first = waitsForAnswer ? streamStart : recording.count
        try sendAll(connection, Array(recording[..<first]))
        replica.withLock { $0 = connection }
        owed = recording[first...]
      case ("PING", _): try sendAll(connection, Array("+PONG\r\n".utf8))
      case ("REPLCONF", _): try sendAll(connection, Array("+OK\r\n".utf8))
      case ("INFO", _):
        try sendAll(connection, Array("$\(info.utf8.count)\r\n\(info)\r\n".utf8))
      // A question about a key: without an answer it may be asked again later.
      case ("MULTI", _):
        asked = answer.withLock { $0 }
        let reply = asked == nil ? "-LOADING not now" : "+OK"
        try sendAll(connection, Array("\(reply)\r\n".utf8))
      default: try sendAll(connection, Array("-ERR unknown command\r\n".utf8))
      }
    }
  }

  /// The next command, which holds no line ends; nil when the other side hangs up.
  private static func command(_ connection: Int32, _ received: inout [UInt8]) throws -> [String]? {
    while true {
      let lines = received.split(separator: 10, omittingEmptySubsequences: false)
      if let head = lines.first?.dropFirst().dropLast(),
        let count = Int(String(decoding: head, as: UTF8.self)), lines.count > 2 * count + 1
      {
        let taken = lines[...(2 * count)]
        received.removeFirst(taken.reduce(0) { $0 + $1.count + 1 })
        return stride(from: 2, through: 2 * count, by: 2).map {
          String(decoding: taken[$0].dropLast(), as: UTF8.self)
        }
      }
      var chunk = [UInt8](repeating: 0, count: 4096)
      let count = read(connection, &chunk, chunk.count)
      if count <= 0 { return nil }
      received += chunk[..<count]
    }
  }
}
