// From a host's name to its addresses. The system's lookup cannot be given a time limit or called
// off, so a name that is not an address is looked up on a thread that may be left behind.

import Glibc

/// One address to connect to, as the system wants it.
struct SocketAddress: Sendable {
  /// `AF_INET`, `AF_INET6` or `AF_UNIX`.
  let family: Int32
  /// The `sockaddr` of that family.
  let bytes: [UInt8]
}

/// Looks up names.
enum HostLookup {
  /// All addresses of `host`, in the order in which the system would try them.
  ///
  /// - Throws: `.unresolvable`, `.timedOut`, or `.stopped` when `interrupt` rings.
  static func addresses(
    of host: String, port: UInt16, timeoutMilliseconds: Int64, interrupt: WakePipe?
  ) throws(LinkError) -> [SocketAddress] {
    if case .success(let addresses) = resolve(host, port, flags: AI_NUMERICHOST) {
      return addresses
    }
    let pending = Pending()
    let thread = NamedThread("lookup") { pending.finish(resolve(host, port, flags: 0)) }
    let wake = pending.bell.wait(
      beside: interrupt?.readDescriptor ?? -1, for: Int32(POLLIN),
      untilMilliseconds: Clock.monotonicMilliseconds() + timeoutMilliseconds)
    guard wake == .rung, let result = pending.result else {
      thread.detach()
      let action = "looking up \(host)"
      if wake == .ready { throw LinkError(.stopped, action, "stopped by request") }
      throw LinkError(
        .timedOut, action, "no answer within \(timeoutMilliseconds) ms",
        advice: "check this machine's name servers, or use the address")
    }
    thread.join()
    return try result.get()
  }

  private static func resolve(
    _ host: String, _ port: UInt16, flags: Int32
  ) -> Result<[SocketAddress], LinkError> {
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_NUMERICSERV | flags
    var list: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(host, String(port), &hints, &list)
    guard status == 0, let list else {
      return .failure(
        LinkError(
          .unresolvable, "looking up \(host)", String(cString: gai_strerror(status)).lowercased(),
          advice: "check the host name in the URL"))
    }
    defer { freeaddrinfo(list) }
    var addresses: [SocketAddress] = []
    var next: UnsafeMutablePointer<addrinfo>? = list
    while let entry = next?.pointee {
      let bytes = UnsafeRawBufferPointer(start: entry.ai_addr, count: Int(entry.ai_addrlen))
      addresses.append(SocketAddress(family: entry.ai_family, bytes: Array(bytes)))
      next = entry.ai_next
    }
    return .success(addresses)
  }

  /// What the thread that looks up and the thread that waits share.
  private final class Pending: Sendable {
    let bell = WakePipe()
    private let outcome = Guarded<Result<[SocketAddress], LinkError>?>(nil)

    var result: Result<[SocketAddress], LinkError>? { outcome.withLock { $0 } }

    func finish(_ result: Result<[SocketAddress], LinkError>) {
      outcome.withLock { $0 = result }
      bell.ring()
    }
  }
}
