// A socket with TLS behaves like one without: it reads and writes whole and in any pieces, waits where
// it should, can be interrupted, and leaves nothing behind. The other end is the openssl command or a
// real redis-server.

import Foundation
import Testing

@testable import ReplicaLink

@Suite(
  .enabled(if: TLSOptions.isAvailable && TLSPeer.isPresent, "no OpenSSL, or no openssl command"),
  .timeLimit(.minutes(10)))
struct TLSSocketTests {
  private static func errorOf(_ body: () throws -> Void) throws -> LinkError? {
    do {
      try body()
      return nil
    } catch let error as LinkError {
      return error
    }
  }

  private static func send(_ text: String, _ socket: borrowing Socket) throws {
    let transfer = try Array(text.utf8).withUnsafeBytes { try socket.send($0) }
    #expect(transfer == .bytes(text.utf8.count))
  }

  private static func receive(_ socket: borrowing Socket) throws -> Socket.Transfer {
    try withUnsafeTemporaryAllocation(byteCount: 8, alignment: 1) { room throws(LinkError) in
      try socket.receive(into: room)
    }
  }

  /// Reads until `text` has come, in pieces of `size` bytes.
  private static func read(
    until text: String, _ socket: borrowing Socket, size: Int = 4096
  ) throws -> String {
    var read = ""
    while !read.contains(text) {
      let deadline = Clock.monotonicMilliseconds() + FakeMaster.patienceMilliseconds
      let isReady = socket.wait(for: Int32(POLLIN), untilMilliseconds: deadline)
      guard isReady else { throw PlayError(description: "nothing comes") }
      try withUnsafeTemporaryAllocation(byteCount: size, alignment: 1) { room in
        switch try socket.receive(into: room) {
        case .bytes(let count): read += String(decoding: room[..<count], as: UTF8.self)
        case .wouldBlock: break
        case .endOfStream: throw PlayError(description: "the end after \(read)")
        }
      }
    }
    return read
  }

  /// Byte by byte: what is decrypted already is waited for without the system's help.
  @Test func whatIsDecryptedAlreadyIsReadable() throws {
    let peer = try TLSPeer()
    let socket = try peer.connect()
    let usesTLS = socket.usesTLS
    #expect(usesTLS)
    try peer.type("several words in one record\n")
    #expect(try Self.read(until: "\n", socket, size: 1) == "several words in one record\n")
    let hasMore = socket.wait(for: Int32(POLLIN), untilMilliseconds: 0)
    let holdsMore = socket.hasPendingInput
    #expect(!holdsMore || hasMore)
    #expect(try Self.receive(socket) == .wouldBlock)
    let holdsAfter = socket.hasPendingInput
    #expect(!holdsAfter)
  }

  /// TLS 1.3: the server demands new keys while both directions are in use.
  @Test func keysMayBeRenewedInTheMiddle() throws {
    let peer = try TLSPeer(["-tls1_3"])
    let socket = try peer.connect()
    for round in 0..<5 {
      try peer.type("before \(round)\n")
      _ = try Self.read(until: "before \(round)\n", socket)
      try peer.type("K\n")
      // What arrives is the demand, and nothing to read: then the line has been typed in.
      let isReadable = socket.wait(for: Int32(POLLIN), untilMilliseconds: nil)
      #expect(isReadable)
      #expect(try Self.receive(socket) == .wouldBlock)
      try peer.type("after \(round)\n")
      _ = try Self.read(until: "after \(round)\n", socket)
      try Self.send("thanks \(round)\n", socket)
      _ = try peer.read(until: "thanks \(round)\n")
    }
  }

  /// TLS 1.2: a renegotiation could ask a write to read; it is refused, and nothing is lost by it.
  @Test func aRenegotiationIsRefused() throws {
    let peer = try TLSPeer(["-tls1_2"])
    let socket = try peer.connect()
    try peer.type("before\n")
    _ = try Self.read(until: "before\n", socket)
    try peer.type("r\n")
    let error = try Self.errorOf { _ = try Self.read(until: "never", socket) }
    #expect(error?.code == .tls, "\(error.map { "\($0)" } ?? "")")
  }

  @Test func anEndWithoutAGoodbyeIsAnEndToo() throws {
    for goodbye in [true, false] {
      let peer = try TLSPeer()
      let socket = try peer.connect()
      if goodbye { try peer.type("Q\n") } else { peer.end() }
      var transfer = Socket.Transfer.wouldBlock
      let error = try Self.errorOf {
        while transfer == .wouldBlock {
          _ = socket.wait(for: Int32(POLLIN), untilMilliseconds: nil)
          transfer = try Self.receive(socket)
        }
      }
      // The system may tell of a crash as of a reset.
      #expect(transfer == .endOfStream || (!goodbye && error?.code == .closed))
    }
  }

  @Test func writingToAClosedSessionIsAnErrorAndNoSignal() throws {
    var pipeSignal = sigset_t()
    sigemptyset(&pipeSignal)
    sigaddset(&pipeSignal, SIGPIPE)
    var before = sigset_t()
    pthread_sigmask(SIG_BLOCK, &pipeSignal, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    let peer = try TLSPeer()
    let socket = try peer.connect()
    peer.end()
    var error: LinkError?
    while error == nil {
      error = try Self.errorOf {
        _ = try Array("words".utf8).withUnsafeBytes { try socket.send($0) }
      }
    }
    #expect(error?.code == .closed)
    var pending = sigset_t()
    sigpending(&pending)
    #expect(sigismember(&pending, SIGPIPE) == 0)
  }

  // MARK: - The handshake

  @Test func aHandshakeThatNobodyAnswersTimesOutOrIsInterrupted() throws {
    let master = try FakeMaster()
    let endpoint = Endpoint.tcp(host: "127.0.0.1", port: master.port)
    let late = try Self.errorOf {
      _ = try Socket.connect(to: endpoint, tls: TLSOptions(), timeoutMilliseconds: 50)
    }
    #expect(late?.code == .timedOut && late?.isRetryable == true)
    #expect(late?.reason == "no answer to the TLS handshake within 50 ms")
    let bell = WakePipe()
    let ringer = NamedThread("ringer") { bell.ring() }
    let stopped = try Self.errorOf {
      _ = try Socket.connect(
        to: endpoint, tls: TLSOptions(), timeoutMilliseconds: 600_000, interrupt: bell)
    }
    ringer.join()
    #expect(stopped?.code == .stopped)
  }

  @Test func aPeerThatHangsUpInTheHandshakeIsNamed() throws {
    let master = try FakeMaster()
    let port = master.port
    let thread = NamedThread("peer") { try? master.accept().hangUp() }
    let error = try Self.errorOf {
      _ = try Socket.connect(
        to: .tcp(host: "127.0.0.1", port: port), tls: TLSOptions(), timeoutMilliseconds: 60_000)
    }
    thread.join()
    #expect(error?.code == .closed)
    #expect(error?.advice?.contains("does the server speak TLS") == true)
  }

  @Test func withoutTrustThereIsNoConnection() throws {
    let peer = try TLSPeer()
    let error = try Self.errorOf {
      _ = try Socket.connect(
        to: .tcp(host: "127.0.0.1", port: peer.port), tls: TLSOptions(), timeoutMilliseconds: 60_000
      )
    }
    #expect(error?.code == .tls && error?.isRetryable == false)
    #expect(error?.reason.contains("signed by itself") == true)
  }

  // MARK: - Against a real server

  @Test(.enabled(if: RealServer.isPresent, "no redis-server on the PATH"))
  func largeRepliesAndLargeCommandsPass() throws {
    let identity = try TLSCertificate()
    let port = try FakeMaster().port
    let server = try RealServer([
      "--tls-port", "\(port)", "--tls-cert-file", identity.certificate, "--tls-key-file",
      identity.key, "--tls-auth-clients", "no", "--tls-ca-cert-file", identity.certificate,
    ])
    var url = try RedisURL("rediss://127.0.0.1:\(port)")
    url.tls = identity.trusting
    var client = try RedisConnection.open(url, timeouts: Timeouts())
    var random = SeededRandom(seed: 7)
    let block = (0..<(1 << 18)).map { _ in UInt8.random(in: 0...255, using: &random) }
    var value: [UInt8] = []
    for _ in 0..<80 { value += block }
    #expect(try client.command([Array("SET".utf8), Array("key".utf8), value]).text == "OK")
    for _ in 0..<3 { client.enqueue([Array("GET".utf8), Array("key".utf8)]) }
    for _ in 0..<3 {
      let reply = try client.receive()
      guard case .bulk(let bytes) = reply else {
        Issue.record("not a string")
        return
      }
      #expect(bytes == value)
    }
    withExtendedLifetime(server) {}
  }

  /// A session goes with its socket: `TLSSession` frees what OpenSSL holds when it goes itself.
  @Test func sessionsAndDescriptorsAreGivenBack() throws {
    let peer = try TLSPeer()
    for _ in 0..<20 {
      let socket = try peer.connect()
      weak let session = socket.session
      #expect(session != nil)
      drop(socket)
      #expect(session == nil)
    }
    #expect(try OpenFiles.connections(toPort: peer.port).isEmpty)
  }

  private func drop(_ socket: consuming Socket) {}
}
