// What moves the link's bytes and tells it the time. The real one is a socket and the machine's clock;
// the simulation's is made of neither.

import Glibc

/// Whom a transport has connected to.
struct LinkPeer: Sendable {
  /// The address, for messages.
  var name: String
  /// How to log in.
  var credentials: Credentials?
}

/// The link's way to the outside. Used by one thread.
protocol LinkTransport: ~Copyable {
  /// The present on a clock that never goes backwards.
  var nowMilliseconds: Int64 { get }
  /// Finds out where the source is and connects to it.
  mutating func connect() throws(LinkError) -> LinkPeer
  /// Ends the connection, if there is one.
  mutating func disconnect()
  /// As `Socket.receive`.
  mutating func receive(
    into buffer: UnsafeMutableRawBufferPointer
  ) throws(LinkError) -> Socket.Transfer
  /// As `Socket.send`.
  mutating func send(_ bytes: UnsafeRawBufferPointer) throws(LinkError) -> Socket.Transfer
  /// Waits until the connection can be read from or written to as asked, somebody rings, or time is up.
  mutating func wait(reads: Bool, writes: Bool, untilMilliseconds deadline: Int64)
}

/// Yields the URL of the source as it is now; asked on the link's thread before every attempt.
public typealias SourceAddress = @Sendable () throws(LinkError) -> RedisURL

/// A socket and the machine's clock.
struct SocketTransport: LinkTransport, ~Copyable {
  let source: SourceAddress
  let timeouts: Timeouts
  /// Ends waits.
  let bell: WakePipe
  /// Ends attempts to connect too.
  let stopBell: WakePipe
  private var connection: Connection?

  /// Owns the socket: an optional cannot be looked into without taking it apart.
  private final class Connection {
    let socket: Socket
    init(_ socket: consuming Socket) { self.socket = socket }
  }

  init(source: @escaping SourceAddress, timeouts: Timeouts, bell: WakePipe, stopBell: WakePipe) {
    self.source = source
    self.timeouts = timeouts
    self.bell = bell
    self.stopBell = stopBell
    connection = nil
  }

  var nowMilliseconds: Int64 { Clock.monotonicMilliseconds() }

  mutating func connect() throws(LinkError) -> LinkPeer {
    connection = nil
    let url = try source()
    let connected = try Socket.connect(
      to: url.endpoint, tls: url.tls, timeoutMilliseconds: timeouts.connectMilliseconds,
      interrupt: stopBell)
    let peer = LinkPeer(name: connected.peer, credentials: url.credentials)
    connection = Connection(connected)
    return peer
  }

  mutating func disconnect() {
    connection = nil
  }

  mutating func receive(
    into buffer: UnsafeMutableRawBufferPointer
  ) throws(LinkError) -> Socket.Transfer {
    guard let connection else { return .endOfStream }
    return try connection.socket.receive(into: buffer)
  }

  mutating func send(_ bytes: UnsafeRawBufferPointer) throws(LinkError) -> Socket.Transfer {
    guard let connection else { return .wouldBlock }
    return try connection.socket.send(bytes)
  }

  mutating func wait(reads: Bool, writes: Bool, untilMilliseconds deadline: Int64) {
    let left = max(0, deadline - nowMilliseconds)
    let isRung =
      if let connection {
        connection.socket.wait(
          reads: reads, writes: writes, orFor: bell, milliseconds: Int32(clamping: left))
      } else {
        bell.wait(beside: -1, for: 0, untilMilliseconds: deadline) == .rung
      }
    if isRung { bell.silence() }
  }
}
