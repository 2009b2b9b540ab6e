// Opening a socket: names to addresses, every address in turn, each with the connect timeout, then
// TLS where it is asked for.

import Glibc

extension Socket {
  /// Connects to `endpoint`, trying each of the host's addresses, IPv6 and IPv4.
  ///
  /// A dead host is noticed after five minutes, whether the connection is idle or has bytes under way.
  ///
  /// - Parameters:
  ///   - tls: how to speak TLS; `nil` connects in the clear. A unix socket has none.
  ///   - timeoutMilliseconds: for the lookup of the host's name, again for each address, and again for
  ///     the TLS handshake.
  ///   - interrupt: a bell that ends the attempt when it rings.
  /// - Throws: `.unresolvable`, `.refused`, `.timedOut`, `.tls`, `.closed`, `.localResource` or
  ///   `.stopped`.
  public static func connect(
    to endpoint: Endpoint, tls: TLSOptions?, timeoutMilliseconds: Int64,
    interrupt: WakePipe? = nil
  ) throws(LinkError) -> Socket {
    let limits = Limits(timeoutMilliseconds: timeoutMilliseconds, interrupt: interrupt)
    switch endpoint {
    case .unix(let path): return try connectUnix(path: path, limits)
    case .tcp(let host, let port):
      var socket = try connectTCP(host: host, port: port, limits)
      if let tls { try socket.secure(tls, host: host, limits) }
      return socket
    case .sentinel:
      throw LinkError(
        .unresolvable, "connecting to \(endpoint)", "Sentinel has not been asked for its address")
    }
  }

  private mutating func secure(
    _ options: TLSOptions, host: String, _ limits: Limits
  ) throws(LinkError) {
    #if canImport(COpenSSL)
      let identity = TLSIdentity(
        peer: peer, host: host, options: options, timeoutMilliseconds: limits.timeoutMilliseconds)
      let session = try TLSSession(descriptor: descriptor, options: options, identity: identity)
      let deadline = Clock.monotonicMilliseconds() + limits.timeoutMilliseconds
      try session.shakeHands { events throws(LinkError) in
        try wait(for: events, untilMilliseconds: deadline, interrupt: limits.interrupt)
      }
      self.session = session
    #else
      throw LinkError(.tls, "connecting to \(peer)", TLSOptionsError.unavailable.problem)
    #endif
  }

  private struct Limits {
    let timeoutMilliseconds: Int64
    let interrupt: WakePipe?
  }

  private static func connectTCP(
    host: String, port: UInt16, _ limits: Limits
  ) throws(LinkError) -> Socket {
    let peer = Endpoint.tcp(host: host, port: port).description
    let addresses = try HostLookup.addresses(
      of: host, port: port, timeoutMilliseconds: limits.timeoutMilliseconds,
      interrupt: limits.interrupt)
    var firstError: LinkError?
    for address in addresses {
      do {
        let socket = try open(address, peer: peer, limits)
        socket.tuneTCP()
        return socket
      } catch {
        if error.code == .stopped { throw error }
        // The first address that refused tells more than a later one that does not route.
        if firstError == nil || firstError?.code == .localResource { firstError = error }
      }
    }
    throw firstError ?? LinkError(.unresolvable, "looking up \(host)", "it has no address")
  }

  private static func connectUnix(
    path: String, _ limits: Limits
  ) throws(LinkError) -> Socket {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
      throw LinkError(
        .refused, "connecting to \(path)", "the path is too long for a unix socket",
        advice: "107 bytes at most")
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let copy = withUnsafeBytes(of: &address) { Array($0) }
    return try open(SocketAddress(family: AF_UNIX, bytes: copy), peer: path, limits)
  }

  private static func open(
    _ address: SocketAddress, peer: String, _ limits: Limits
  ) throws(LinkError) -> Socket {
    let action = "connecting to \(peer)"
    let flags =
      Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let descriptor = socket(address.family, flags, 0)
    guard descriptor >= 0 else {
      throw LinkError(.localResource, action, String(cString: strerror(errno)).lowercased())
    }
    let socket = Socket(descriptor: descriptor, peer: peer)
    let failure = address.bytes.withUnsafeBytes {
      let generic = $0.baseAddress?.assumingMemoryBound(to: sockaddr.self)
      return Glibc.connect(descriptor, generic, socklen_t($0.count)) == 0 ? 0 : errno
    }
    if failure == 0 { return socket }
    guard failure == EINPROGRESS || failure == EINTR else { throw refusal(action, failure) }
    let deadline = Clock.monotonicMilliseconds() + limits.timeoutMilliseconds
    guard
      try socket.wait(
        for: Int32(POLLOUT), untilMilliseconds: deadline, interrupt: limits.interrupt)
    else {
      throw LinkError(
        .timedOut, action, "no answer within \(limits.timeoutMilliseconds) ms",
        advice: "check the host, the port and any firewall, or raise --connect-timeout")
    }
    var error: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size)
    guard error == 0 else { throw refusal(action, error) }
    return socket
  }

  private static func refusal(_ action: String, _ error: Int32) -> LinkError {
    let reason = String(cString: strerror(error)).lowercased()
    switch error {
    case ECONNREFUSED:
      return LinkError(.refused, action, reason, advice: "is the server running, and on this port?")
    case ENOENT:
      return LinkError(.refused, action, "there is no such socket", advice: "check the path")
    case ETIMEDOUT:
      return LinkError(.timedOut, action, reason, advice: "check the host and any firewall")
    case EHOSTUNREACH, ENETUNREACH:
      return LinkError(.refused, action, reason, advice: "check the network and the address")
    default:
      return LinkError(.refused, action, reason)
    }
  }

  /// After so much silence the system asks a host whether it is alive, in seconds.
  static let keepaliveIdleSeconds: Int32 = 30
  /// And then again, so often.
  static let keepaliveIntervalSeconds: Int32 = 30
  static let keepaliveProbes: Int32 = 9
  /// How long bytes that are sent may go unconfirmed. Without it the system would go on for a quarter
  /// of an hour, since keepalive does not count while bytes are under way. No less than this, because
  /// Linux counts a server that is alive, but stands still with its window full, as gone too.
  static let userTimeoutMilliseconds =
    (keepaliveIdleSeconds + keepaliveIntervalSeconds * keepaliveProbes) * 1000

  private func tuneTCP() {
    set(Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    set(SOL_SOCKET, SO_KEEPALIVE, 1)
    set(Int32(IPPROTO_TCP), TCP_KEEPIDLE, Self.keepaliveIdleSeconds)
    set(Int32(IPPROTO_TCP), TCP_KEEPINTVL, Self.keepaliveIntervalSeconds)
    set(Int32(IPPROTO_TCP), TCP_KEEPCNT, Self.keepaliveProbes)
    set(Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, Self.userTimeoutMilliseconds)
  }

  private func set(_ level: Int32, _ option: Int32, _ value: Int32) {
    var value = value
    setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
  }
}
