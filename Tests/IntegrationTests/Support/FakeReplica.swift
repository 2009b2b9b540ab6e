// A replica that listens on no port and acknowledges what the test wants: what a source does with such
// a one is asked of the source itself, without the tool between.

import Glibc
import ReplicaLink
import Synchronization

final class FakeReplica: Sendable {
  /// How often it acknowledges, in microseconds; the tool and real replicas do once a second.
  private static let pauseMicroseconds: UInt32 = 50_000

  /// How many of the last bytes received are left out of what it acknowledges.
  let withheld: Atomic<UInt64>
  private let offset = Atomic<UInt64>(0)
  private let hasEnded = Atomic<Bool>(false)
  private let tail = Guarded<[UInt8]>([])
  private let descriptor: Int32

  /// Attaches, takes the snapshot, and acknowledges from then on. Without `capa eof` the snapshot comes
  /// with its length.
  init(of server: TestServer, withholding withheld: UInt64 = 0) throws {
    self.withheld = Atomic(withheld)
    descriptor = try connectToLoopback(port: server.port)
    try sendAll(descriptor, Array("PSYNC ? -1\r\n".utf8))
    var words: [Substring] = []
    var answer = ""
    while words.count != 3 {
      answer = try Self.line(descriptor)
      words = answer.split(separator: " ")
    }
    guard words[0] == "+FULLRESYNC", let start = UInt64(words[2]) else {
      throw TestFailure("PSYNC: \(answer)")
    }
    var header = ""
    while header.isEmpty { header = try Self.line(descriptor) }
    guard header.first == "$", let length = Int(header.dropFirst()) else {
      throw TestFailure("no snapshot: \(header)")
    }
    for _ in 0..<length { _ = try Self.byte(descriptor) }
    offset.store(start, ordering: .releasing)
    pthread_detach(startThread { [self] in receive() })
    pthread_detach(
      startThread { [weak self] in
        while let self, !self.hasEnded.load(ordering: .acquiring) {
          self.acknowledge()
          usleep(Self.pauseMicroseconds)
        }
      })
  }

  /// Whether the source has closed the link.
  var isDropped: Bool { hasEnded.load(ordering: .acquiring) }

  /// Whether the last thing that came was a `REPLCONF GETACK`.
  var isAsked: Bool {
    tail.withLock { String(decoding: $0, as: UTF8.self).hasSuffix("GETACK\r\n$1\r\n*\r\n") }
  }

  /// Ends the link.
  func stop() {
    shutdown(descriptor, Int32(SHUT_RDWR))
  }

  private func acknowledge() {
    let (applied, withheld) = (
      offset.load(ordering: .acquiring), withheld.load(ordering: .acquiring)
    )
    let digits = "\(applied - min(applied, withheld))"
    let command = "*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$\(digits.utf8.count)\r\n\(digits)\r\n"
    _ = try? sendAll(descriptor, Array(command.utf8))
  }

  private func receive() {
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = read(descriptor, &chunk, chunk.count)
      if count < 0 && errno == EINTR { continue }
      if count <= 0 { break }
      tail.withLock { $0 = Array(($0 + chunk[..<count]).suffix(64)) }
      offset.add(UInt64(count), ordering: .acquiringAndReleasing)
      // At once, as an answer to GETACK has to be; too often does no harm.
      acknowledge()
    }
    hasEnded.store(true, ordering: .releasing)
  }

  private static func line(_ descriptor: Int32) throws -> String {
    var bytes: [UInt8] = []
    while bytes.last != 10 { bytes.append(try byte(descriptor)) }
    return String(decoding: bytes.filter { $0 != 10 && $0 != 13 }, as: UTF8.self)
  }

  private static func byte(_ descriptor: Int32) throws -> UInt8 {
    var byte: UInt8 = 0
    guard read(descriptor, &byte, 1) == 1 else { throw TestFailure("the source hung up") }
    return byte
  }
}
