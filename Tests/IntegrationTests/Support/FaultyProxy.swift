// Stands between the tool and a real source, and does harm to the bytes that the source sends: so a
// stream breaks in the middle of a command, a snapshot arrives with one wrong byte, or nothing arrives
// at all on connections that stay open.

import Glibc
import ReplicaLink
import Synchronization

final class FaultyProxy: Sendable {
  /// What happens, and where: behind the first occurrence of `marker` in what the source sends on
  /// any one connection.
  enum Fault: Sendable {
    /// So many bytes behind the marker every connection is closed, and no new one is accepted.
    case cut(behind: [UInt8], bytes: Int)
    /// The same, but new connections are accepted, and come to no harm.
    case cutOnce(behind: [UInt8], bytes: Int)
    /// The byte so far behind the marker arrives with one bit changed.
    case flip(behind: [UInt8], bytes: Int)
  }

  let port: Int
  private let target: Int
  private let fault: Fault?
  private let listener: Listener
  /// Those that have not ended, and some that have.
  private let connections = Guarded<[Passing]>([])
  private let hasStruck = Atomic<Bool>(false)
  /// While set, connections stay open, and nothing passes; not even the end of one.
  let isHole = Atomic<Bool>(false)
  private let delayMicroseconds: UInt32
  private let bytesPerSecond: Int

  /// - Parameters:
  ///   - delayMilliseconds: how long everything is held up on its way, in both directions.
  ///   - bytesPerSecond: how much passes in a second on one connection.
  init(
    to server: TestServer, _ fault: Fault? = nil, delayMilliseconds: UInt32 = 0,
    bytesPerSecond: Int = .max
  ) throws {
    delayMicroseconds = delayMilliseconds * 1000
    self.bytesPerSecond = bytesPerSecond
    listener = try Listener()
    port = listener.port
    target = server.port
    self.fault = fault
    pthread_detach(startThread { [self] in acceptConnections() })
  }

  var url: String { "redis://127.0.0.1:\(port)" }

  /// Whether the harm is done: a test that did not get so far proves nothing.
  var struck: Bool { hasStruck.load(ordering: .acquiring) }

  /// Ends every connection and accepts no more. Call it when the test is over.
  func stop() {
    listener.stop()
    drop()
  }

  /// Ends every connection; new ones are accepted.
  func drop() {
    connections.withLock { for passing in $0 { passing.connection?.end() } }
  }

  private var isOnce: Bool { if case .cutOnce = fault { true } else { false } }

  private func acceptConnections() {
    while let near = listener.accept() {
      guard let connection = ProxiedConnection(near, toPort: target) else { continue }
      connections.withLock {
        $0.removeAll { $0.connection == nil }
        $0.append(Passing(connection: connection))
      }
      connection.start { self.relay(from: $0.near, to: $0.far, damaging: false) }
      connection.start { self.relay(from: $0.far, to: $0.near, damaging: true) }
    }
  }

  private struct Passing {
    weak var connection: ProxiedConnection?
  }

  /// Copies until either side ends.
  private func relay(from input: Int32, to output: Int32, damaging: Bool) {
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    var harm = fault.map { Harm($0) }
    while true {
      let count = read(input, &chunk, chunk.count)
      if count < 0 && errno == EINTR { continue }
      if count <= 0 { break }
      var bytes = Array(chunk[..<count])
      if delayMicroseconds > 0 { usleep(delayMicroseconds) }
      if bytesPerSecond < .max { usleep(UInt32(count * 1_000_000 / bytesPerSecond)) }
      while isHole.load(ordering: .acquiring) { usleep(2000) }
      let isArmed = damaging && !(isOnce && struck)
      let isDone = isArmed && (harm?.strike(&bytes) ?? false)
      guard (try? sendAll(output, bytes)) != nil else { break }
      if isDone {
        hasStruck.store(true, ordering: .releasing)
        if case .cut = fault { stop() }
        if isOnce { drop() }
      }
    }
    while isHole.load(ordering: .acquiring) { usleep(2000) }
    shutdown(input, Int32(SHUT_RDWR))
    shutdown(output, Int32(SHUT_RDWR))
  }
}

/// Finds the place in a sequence of chunks, and does the harm there.
private struct Harm {
  private let fault: FaultyProxy.Fault
  private let marker: [UInt8]
  private let distance: Int
  /// The end of what has passed, as long as the marker has not been seen.
  private var tail: [UInt8] = []
  /// Bytes until the place, once the marker has been seen; negative when it is behind us.
  private var remaining: Int?

  init(_ fault: FaultyProxy.Fault) {
    self.fault = fault
    switch fault {
    case .cut(let marker, let bytes), .cutOnce(let marker, let bytes),
      .flip(let marker, let bytes):
      self.marker = marker
      distance = bytes
    }
  }

  /// Changes `bytes` where the place is among them; true in that one case.
  mutating func strike(_ bytes: inout [UInt8]) -> Bool {
    if remaining == nil {
      let seen = tail + bytes
      guard let end = seen.endOfFirst(marker) else {
        tail = Array(seen.suffix(marker.count - 1))
        return false
      }
      remaining = end - tail.count + distance
    }
    guard let place = remaining, place >= 0 else { return false }
    remaining = place - bytes.count
    guard place < bytes.count else { return false }
    remaining = -1
    switch fault {
    case .cut, .cutOnce: bytes.removeSubrange(place...)
    case .flip: bytes[place] ^= 0x10
    }
    return true
  }
}

extension [UInt8] {
  /// The position behind the first occurrence of `pattern`.
  fileprivate func endOfFirst(_ pattern: [UInt8]) -> Int? {
    guard count >= pattern.count else { return nil }
    return (0...(count - pattern.count)).first {
      self[$0..<($0 + pattern.count)].elementsEqual(pattern)
    }
    .map { $0 + pattern.count }
  }
}
