// Opening a socket: names to addresses, every address in turn, each with the connect timeout.

import Glibc

extension Socket {
  /// Connects to `endpoint`, trying each of the host's addresses, IPv6 and IPv4.
  ///
  /// Keepalive probes start after 30 s of silence, so a dead host is noticed on an idle link too.
  ///
  /// - Parameter timeoutMilliseconds: for each address.
  /// - Throws: `.unresolvable`, `.refused`, `.timedOut` or `.localResource`.
  public static func connect(
    to endpoint: Endpoint, timeoutMilliseconds: Int64
  ) throws(LinkError) -> Socket {
    switch endpoint {
    case .unix(let path): return try connectUnix(path: path, timeoutMilliseconds)
    case .tcp(let host, let port):
      return try connectTCP(host: host, port: port, timeoutMilliseconds)
    }
  }

  private static func connectTCP(
    host: String, port: UInt16, _ timeoutMilliseconds: Int64
  ) throws(LinkError) -> Socket {
    let peer = Endpoint.tcp(host: host, port: port).description
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = Int32(AI_NUMERICSERV)
    var list: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(host, String(port), &hints, &list)
    guard status == 0, let first = list else {
      throw LinkError(
        .unresolvable, "looking up \(host)", String(cString: gai_strerror(status)).lowercased(),
        advice: "check the host name in the URL")
    }
    defer { freeaddrinfo(first) }

    var lastError: LinkError?
    var next: UnsafeMutablePointer<addrinfo>? = first
    while let address = next?.pointee {
      next = address.ai_next
      do {
        let socket = try open(
          family: address.ai_family, address: address.ai_addr, length: address.ai_addrlen,
          peer: peer, timeoutMilliseconds)
        socket.tuneTCP()
        return socket
      } catch {
        // The first address that refused tells more than a later one that does not route.
        if lastError == nil || lastError?.code == .localResource { lastError = error }
      }
    }
    throw lastError ?? LinkError(.unresolvable, "looking up \(host)", "it has no address")
  }

  private static func connectUnix(
    path: String, _ timeoutMilliseconds: Int64
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
    return try withUnsafePointer(to: &address) { pointer throws(LinkError) -> Socket in
      let generic = UnsafeMutableRawPointer(mutating: pointer).assumingMemoryBound(
        to: sockaddr.self)
      return try open(
        family: AF_UNIX, address: generic, length: socklen_t(MemoryLayout<sockaddr_un>.size),
        peer: path, timeoutMilliseconds)
    }
  }

  private static func open(
    family: Int32, address: UnsafeMutablePointer<sockaddr>, length: socklen_t, peer: String,
    _ timeoutMilliseconds: Int64
  ) throws(LinkError) -> Socket {
    let action = "connecting to \(peer)"
    let flags =
      Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
      | Int32(SOCK_CLOEXEC.rawValue)
    let descriptor = socket(family, flags, 0)
    guard descriptor >= 0 else {
      throw LinkError(.localResource, action, String(cString: strerror(errno)).lowercased())
    }
    let socket = Socket(descriptor: descriptor, peer: peer)
    if Glibc.connect(descriptor, address, length) == 0 { return socket }
    guard errno == EINPROGRESS || errno == EINTR else { throw refusal(action, errno) }
    let deadline = Clock.monotonicMilliseconds() + timeoutMilliseconds
    guard socket.wait(for: Int32(POLLOUT), untilMilliseconds: deadline) else {
      throw LinkError(
        .timedOut, action, "no answer within \(timeoutMilliseconds) ms",
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

  private func tuneTCP() {
    set(Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    set(SOL_SOCKET, SO_KEEPALIVE, 1)
    set(Int32(IPPROTO_TCP), TCP_KEEPIDLE, 30)
    set(Int32(IPPROTO_TCP), TCP_KEEPINTVL, 10)
    set(Int32(IPPROTO_TCP), TCP_KEEPCNT, 6)
  }

  private func set(_ level: Int32, _ option: Int32, _ value: Int32) {
    var value = value
    setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
  }
}
