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

/// The link's connections.
enum LinkChannel: Int, Sendable, CaseIterable {
  /// The one that the stream comes over.
  case main
  /// The snapshot's own, where the source offers one.
  case snapshot
}

/// The link's way to the outside. Used by one thread.
protocol LinkTransport: ~Copyable {
  /// The present on a clock that never goes backwards.
  var nowMilliseconds: Int64 { get }
  /// Finds out where the source is and connects to it; for the snapshot's channel, to the server that
  /// the main one is connected to.
  mutating func connect(_ channel: LinkChannel) throws(LinkError) -> LinkPeer
  /// Ends the connection, if there is one.
  mutating func disconnect(_ channel: LinkChannel)
  /// As `Socket.receive`.
  mutating func receive(
    _ channel: LinkChannel, into buffer: UnsafeMutableRawBufferPointer
  ) throws(LinkError) -> Socket.Transfer
  /// As `Socket.send`.
  mutating func send(
    _ channel: LinkChannel, _ bytes: UnsafeRawBufferPointer
  ) throws(LinkError) -> Socket.Transfer
  /// Whether the peer has ended the connection, whatever it said before that is still to be read.
  func isClosed(_ channel: LinkChannel) -> Bool
  /// Waits until a connection can be read from or written to as asked, somebody rings, or time is up.
  /// When much was received since the last wait, it leaves more so long to come together.
  mutating func wait(
    reads: [LinkChannel], writes: [LinkChannel], untilMilliseconds deadline: Int64,
    gatherMicroseconds: UInt32)
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
  private var connections: [Connection?] = [nil, nil]
  /// Where the main channel is connected to.
  private var url: RedisURL?
  /// Bytes received since the last wait.
  private var receivedBytes = 0

  /// A source under load writes to its replicas many times a millisecond. Whoever woke for each of these
  /// would take the CPU from the servers: when one wait brings as much as this, in bytes, more is left to
  /// come together after the next.
  private static let busyBytes = 8 << 10

  /// Owns a socket: an optional one cannot be looked into without taking it apart.
  private final class Connection {
    let socket: Socket
    init(_ socket: consuming Socket) { self.socket = socket }
  }

  init(source: @escaping SourceAddress, timeouts: Timeouts, bell: WakePipe, stopBell: WakePipe) {
    self.source = source
    self.timeouts = timeouts
    self.bell = bell
    self.stopBell = stopBell
  }

  var nowMilliseconds: Int64 { Clock.monotonicMilliseconds() }

  mutating func connect(_ channel: LinkChannel) throws(LinkError) -> LinkPeer {
    disconnect(channel)
    let url: RedisURL
    if channel == .snapshot, let known = self.url { url = known } else { url = try source() }
    let socket = try Socket.connect(
      to: url.endpoint, tls: url.tls, timeoutMilliseconds: timeouts.connectMilliseconds,
      interrupt: stopBell)
    let peer = LinkPeer(name: socket.peer, credentials: url.credentials)
    connections[channel.rawValue] = Connection(socket)
    self.url = url
    return peer
  }

  mutating func disconnect(_ channel: LinkChannel) {
    connections[channel.rawValue] = nil
  }

  mutating func receive(
    _ channel: LinkChannel, into buffer: UnsafeMutableRawBufferPointer
  ) throws(LinkError) -> Socket.Transfer {
    guard let connection = connections[channel.rawValue] else { return .endOfStream }
    let transfer = try connection.socket.receive(into: buffer)
    if case .bytes(let count) = transfer { receivedBytes += count }
    return transfer
  }

  mutating func send(
    _ channel: LinkChannel, _ bytes: UnsafeRawBufferPointer
  ) throws(LinkError) -> Socket.Transfer {
    guard let connection = connections[channel.rawValue] else { return .wouldBlock }
    return try connection.socket.send(bytes)
  }

  func isClosed(_ channel: LinkChannel) -> Bool {
    guard let connection = connections[channel.rawValue] else { return true }
    // POLLRDHUP of Linux, which Glibc's module leaves out.
    let hangUp: Int16 = 0x2000
    var request = pollfd(fd: connection.socket.descriptor, events: hangUp, revents: 0)
    return poll(&request, 1, 0) > 0
  }

  mutating func wait(
    reads: [LinkChannel], writes: [LinkChannel], untilMilliseconds deadline: Int64,
    gatherMicroseconds: UInt32
  ) {
    var polls = [pollfd(fd: bell.readDescriptor, events: Int16(POLLIN), revents: 0)]
    var left = max(0, deadline - nowMilliseconds)
    for channel in LinkChannel.allCases {
      let (isRead, isWritten) = (reads.contains(channel), writes.contains(channel))
      guard isRead || isWritten, let connection = connections[channel.rawValue] else { continue }
      polls.append(connection.socket.pollRequest(reads: isRead, writes: isWritten))
      if isRead, connection.socket.hasPendingInput { left = 0 }
    }
    let isBusy = receivedBytes >= Self.busyBytes
    receivedBytes = 0
    let ready = poll(&polls, nfds_t(polls.count), Int32(clamping: left))
    if isBusy, ready > 0 { usleep(gatherMicroseconds) }
    if polls[0].revents != 0 { bell.silence() }
  }
}
