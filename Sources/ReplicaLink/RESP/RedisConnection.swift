// A conversation with a server: one command, one reply, with deadlines. For everything that is not
// the bulk of the work: logging in, INFO, SCAN, a question while the replay runs.

import Glibc

/// How long to wait for a peer.
public struct Timeouts: Sendable {
  /// For each address of a host, in milliseconds.
  public var connectMilliseconds: Int64
  /// For one reply, or for silence on a link, in milliseconds.
  public var ioMilliseconds: Int64

  /// Makes a pair of limits.
  public init(connectMilliseconds: Int64 = 5_000, ioMilliseconds: Int64 = 60_000) {
    self.connectMilliseconds = connectMilliseconds
    self.ioMilliseconds = ioMilliseconds
  }
}

extension Credentials {
  /// The arguments of the `AUTH` command that logs in with them.
  var authCommand: [[UInt8]] {
    var arguments = [Array("AUTH".utf8)]
    if let user { arguments.append(Array(user.utf8)) }
    arguments.append(Array(password.utf8))
    return arguments
  }
}

/// A blocking client connection for one thread at a time.
public struct RedisConnection: ~Copyable, Sendable {
  /// A reply longer than this breaks the protocol: one string of the greatest length, and its frame.
  static let replyBytesMax = RESPReader.bulkBytesMax + (1 << 20)

  private let socket: Socket
  private let ioMilliseconds: Int64
  private let interrupt: WakePipe?
  private var hasReceived = false
  private var output = ByteBuffer()
  private var input = ByteBuffer(capacity: 1 << 16)
  private var inputPosition = 0

  /// Connects, over TLS where the URL says so, and logs in.
  ///
  /// - Parameter interrupt: a bell that ends the attempt when it rings, and from then on whatever this
  ///   connection waits for.
  /// - Throws: what connecting throws; `.authentication`, `.protectedMode`, `.notRedis`, `.timedOut`.
  public static func open(
    _ url: RedisURL, timeouts: Timeouts, interrupt: WakePipe? = nil
  ) throws(LinkError) -> RedisConnection {
    let socket = try Socket.connect(
      to: url.endpoint, tls: url.tls, timeoutMilliseconds: timeouts.connectMilliseconds,
      interrupt: interrupt)
    var connection = RedisConnection(
      socket, ioMilliseconds: timeouts.ioMilliseconds, interrupt: interrupt)
    if let credentials = url.credentials {
      let reply = try connection.command(credentials.authCommand)
      if let line = reply.errorLine {
        throw ServerRefusal.login(line, credentials, peer: connection.peer)
      }
    }
    return connection
  }

  private init(_ socket: consuming Socket, ioMilliseconds: Int64, interrupt: WakePipe?) {
    self.socket = socket
    self.ioMilliseconds = ioMilliseconds
    self.interrupt = interrupt
  }

  /// Gives the connected, logged-in socket away, for somebody who pipelines by himself. No reply may
  /// be outstanding.
  public consuming func takeSocket() -> Socket {
    socket
  }

  /// The peer, for messages.
  public var peer: String { socket.peer }

  /// Sends a command and waits for its reply. An error reply is a value here.
  public mutating func command(_ arguments: String...) throws(LinkError) -> RESPValue {
    try command(arguments.map { Array($0.utf8) })
  }

  /// Sends a command and waits for its reply. An error reply is a value here.
  public mutating func command(_ arguments: [[UInt8]]) throws(LinkError) -> RESPValue {
    output.appendCommand(arguments)
    return try receive()
  }

  /// Puts a command into the output without sending it: the replies come from `receive()`, in order.
  public mutating func enqueue(_ arguments: [[UInt8]]) {
    output.appendCommand(arguments)
  }

  /// The same for commands that are encoded already.
  public mutating func enqueue(encoded commands: borrowing ByteBuffer) {
    commands.withBytes { output.append($0) }
  }

  /// Sends what is enqueued and waits for nothing, so that a server works while another is asked.
  public mutating func send() throws(LinkError) {
    try flush(Clock.monotonicMilliseconds() + ioMilliseconds)
  }

  /// Sends what is enqueued and waits for one reply.
  public mutating func receive() throws(LinkError) -> RESPValue {
    let deadline = Clock.monotonicMilliseconds() + ioMilliseconds
    try flush(deadline)
    while true {
      if let reply = try parse() { return reply }
      guard input.count - inputPosition <= Self.replyBytesMax else {
        throw LinkError(
          .protocolViolation, "talking to \(socket.peer)",
          "a reply is longer than \(Self.replyBytesMax) bytes")
      }
      guard
        try socket.wait(for: Int32(POLLIN), untilMilliseconds: deadline, interrupt: interrupt)
      else {
        throw LinkError(
          .timedOut, "waiting for a reply of \(socket.peer)",
          "nothing came within \(ioMilliseconds) ms",
          advice: "is it a Redis or Valkey server, and is it alive?")
      }
      if input.count == inputPosition {
        input.removeAll()
        inputPosition = 0
      }
      var transfer = Socket.Transfer.wouldBlock
      do throws(LinkError) {
        _ = try input.fill(minimum: 1 << 14) { room throws(LinkError) -> Int in
          transfer = try socket.receive(into: room)
          if case .bytes(let count) = transfer { return count }
          return 0
        }
      } catch {
        throw error.code == .closed ? closed(error.reason) : error
      }
      if transfer == .endOfStream { throw closed("the server closed the connection") }
      if transfer != .wouldBlock { hasReceived = true }
    }
  }

  private mutating func parse() throws(LinkError) -> RESPValue? {
    do {
      var position = inputPosition
      let reply = try input.withBytes { bytes throws(RESPReader.Failure) in
        try RESPReader.read(bytes, &position)
      }
      inputPosition = position
      if let line = reply.errorLine, line.hasPrefix("DENIED") {
        throw ServerRefusal.error(line, action: "talking to \(socket.peer)")
      }
      return reply
    } catch let failure as RESPReader.Failure {
      if case .malformed(let reason) = failure {
        if isFirstAnswerOfTLS() {
          throw LinkError(
            .notRedis, "talking to \(socket.peer)", "the server speaks TLS", advice: "use rediss://"
          )
        }
        throw LinkError(
          .notRedis, "talking to \(socket.peer)", "the answer is not Redis's protocol: \(reason)",
          advice: "check the host and the port")
      }
      return nil
    } catch let error as LinkError {
      throw error
    } catch {
      return nil
    }
  }

  /// Whether what came looks like a TLS alert or handshake (RFC 8446, section 5.1).
  private func isFirstAnswerOfTLS() -> Bool {
    guard !socket.usesTLS, inputPosition == 0 else { return false }
    return input.withBytes { $0.count > 1 && ($0[0] == 21 || $0[0] == 22) && $0[1] == 3 }
  }

  /// The error for a connection that ended. A server of TLS hangs up on what is not TLS.
  private func closed(_ reason: String) -> LinkError {
    LinkError(
      .closed, "waiting for a reply of \(socket.peer)", reason,
      advice: hasReceived || socket.usesTLS ? nil : "does it speak TLS? then use rediss://")
  }

  private mutating func flush(_ deadline: Int64) throws(LinkError) {
    while !output.isEmpty {
      let transfer = try output.withBytes { bytes throws(LinkError) in try socket.send(bytes) }
      if case .bytes(let count) = transfer {
        output.removeFirst(count)
      } else if try !socket.wait(
        for: Int32(POLLOUT), untilMilliseconds: deadline, interrupt: interrupt)
      {
        throw LinkError(
          .timedOut, "sending to \(socket.peer)", "it took nothing for \(ioMilliseconds) ms")
      }
    }
  }
}
