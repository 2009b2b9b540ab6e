// Connecting: addresses of both families, names with several of them, ports that refuse or swallow,
// unix sockets; and the bell that ends a wait.

import Foundation
import Testing

@testable import ReplicaLink

@Suite(.timeLimit(.minutes(10)))
struct SocketTests {
  private static func errorOf(
    _ endpoint: Endpoint, milliseconds: Int64 = 20_000, interrupt: WakePipe? = nil
  ) -> LinkError? {
    do {
      _ = try Socket.connect(
        to: endpoint, tls: nil, timeoutMilliseconds: milliseconds, interrupt: interrupt)
      return nil
    } catch {
      return error
    }
  }

  @Test(arguments: [("127.0.0.1", false), ("::1", true), ("localhost", false), ("localhost", true)])
  func connectsByAddressAndByNameInBothFamilies(_ host: String, _ isIPv6: Bool) throws {
    if host == "localhost" {
      // Where the name has only one of the two, the other cannot be tried.
      let addresses = try HostLookup.addresses(
        of: host, port: 1, timeoutMilliseconds: 20_000, interrupt: nil)
      guard addresses.contains(where: { $0.family == (isIPv6 ? AF_INET6 : AF_INET) }) else {
        return
      }
    }
    let master = try FakeMaster(isIPv6: isIPv6)
    let socket = try Socket.connect(
      to: .tcp(host: host, port: master.port), tls: nil, timeoutMilliseconds: 20_000)
    let peer = try master.accept()
    let sent = try Array("*1\r\n$2\r\nhi\r\n".utf8).withUnsafeBytes { try socket.send($0) }
    #expect(sent == .bytes(12))
    try peer.expect("hi")
    peer.hangUp()
    let isReadable = socket.wait(for: Int32(POLLIN), untilMilliseconds: nil)
    #expect(isReadable)
    let end = try withUnsafeTemporaryAllocation(byteCount: 8, alignment: 1) {
      try socket.receive(into: $0)
    }
    #expect(end == .endOfStream)
  }

  @Test func aPortThatSwallowsTimesOut() throws {
    let hole = try BlackHole()
    let error = Self.errorOf(.tcp(host: "127.0.0.1", port: hole.master.port), milliseconds: 50)
    #expect(error?.code == .timedOut)
    #expect(error?.isRetryable == true)
  }

  @Test func aRingingBellEndsTheAttempt() throws {
    let hole = try BlackHole()
    let bell = WakePipe()
    bell.ring()
    let endpoint = Endpoint.tcp(host: "127.0.0.1", port: hole.master.port)
    for _ in 0..<2 {
      #expect(Self.errorOf(endpoint, milliseconds: 600_000, interrupt: bell)?.code == .stopped)
    }
  }

  @Test func aNameWithoutAddressesIsUnresolvableAndNeverHangs() {
    // Without a name server the lookup takes long: then the time limit or the bell ends it.
    let endpoint = Endpoint.tcp(host: "nowhere.invalid", port: 1)
    let code = Self.errorOf(endpoint, milliseconds: 10_000)?.code
    #expect(code == .unresolvable || code == .timedOut)
    let bell = WakePipe()
    bell.ring()
    let stopped = Self.errorOf(endpoint, milliseconds: 600_000, interrupt: bell)?.code
    #expect(stopped == .stopped || stopped == .unresolvable)
    let hurried = Self.errorOf(endpoint, milliseconds: 0)?.code
    #expect(hurried == .timedOut || hurried == .unresolvable)
  }

  @Test func unixSocketsConnectAndTheirErrorsAreClear() throws {
    let folder = try TemporaryFolder()
    let missing = Self.errorOf(.unix(path: folder.path + "/none"))
    #expect(missing?.code == .refused && missing?.reason == "there is no such socket")
    let long = Self.errorOf(.unix(path: "/" + String(repeating: "x", count: 200)))
    #expect(long?.code == .refused && long?.reason.contains("too long") == true)
  }

  @Test func aBellRungByAnotherThreadWakesOnceAndIsSilencedOnce() {
    let bell = WakePipe()
    for round in 0..<2_000 {
      let thread = round % 100 == 0 ? NamedThread("ringer") { bell.ring() } : nil
      if thread == nil { bell.ring() }
      let deadline = Clock.monotonicMilliseconds() + 20_000
      #expect(bell.wait(beside: -1, for: 0, untilMilliseconds: deadline) == .rung)
      thread?.join()
      bell.silence()
      #expect(!bell.isRinging)
      #expect(bell.wait(beside: -1, for: 0, untilMilliseconds: 0) == .timedOut)
    }
  }

  /// A host that is gone is noticed, at rest and with bytes under way.
  @Test func deadHostsAreNoticed() throws {
    let master = try FakeMaster()
    let socket = try Socket.connect(
      to: .tcp(host: "127.0.0.1", port: master.port), tls: nil, timeoutMilliseconds: 20_000)
    let descriptor = socket.descriptor
    func option(_ level: Int32, _ name: Int32) -> Int32 {
      var value: Int32 = -1
      var size = socklen_t(MemoryLayout<Int32>.size)
      getsockopt(descriptor, level, name, &value, &size)
      return value
    }
    #expect(option(SOL_SOCKET, SO_KEEPALIVE) == 1)
    let tcp = Int32(IPPROTO_TCP)
    #expect(option(tcp, TCP_KEEPIDLE) == 30)
    #expect(option(tcp, TCP_KEEPINTVL) == 30)
    #expect(option(tcp, TCP_KEEPCNT) == 9)
    #expect(option(tcp, TCP_USER_TIMEOUT) == 300_000)
    #expect(option(tcp, TCP_NODELAY) == 1)
  }

  /// An address that is good on one link only needs the link's name.
  @Test(
    .enabled(if: LinkLocalAddress.first != nil, "no interface here has a link-local address"))
  func linkLocalAddressesAreReachedThroughTheirZone() throws {
    let address = try #require(LinkLocalAddress.first)
    let master = try FakeMaster(isIPv6: true, isOnEveryAddress: true)
    for percent in ["%", "%25"] {
      let text = "redis://[\(address.text)\(percent)\(address.interface)]:\(master.port)"
      let url = try RedisURL(text)
      let socket = try Socket.connect(to: url.endpoint, tls: nil, timeoutMilliseconds: 20_000)
      let peer = try master.accept()
      let sent = try Array("*1\r\n$2\r\nhi\r\n".utf8).withUnsafeBytes { try socket.send($0) }
      #expect(sent == .bytes(12))
      try peer.expect("hi")
    }
  }
}

/// The first IPv6 address of this machine that is good on one link only.
private struct LinkLocalAddress {
  let text: String
  let interface: String

  static let first: LinkLocalAddress? = {
    var list: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&list) == 0 else { return nil }
    defer { freeifaddrs(list) }
    var next = list
    while let entry = next?.pointee {
      next = entry.ifa_next
      guard let address = entry.ifa_addr, address.pointee.sa_family == sa_family_t(AF_INET6) else {
        continue
      }
      var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
      getnameinfo(
        address, socklen_t(MemoryLayout<sockaddr_in6>.size), &text, socklen_t(text.count), nil, 0,
        NI_NUMERICHOST)
      let halves = String(decoding: text.prefix { $0 != 0 }.map { UInt8($0) }, as: UTF8.self)
        .split(separator: "%")
      if halves.count == 2, halves[0].hasPrefix("fe80:") {
        return LinkLocalAddress(text: String(halves[0]), interface: String(halves[1]))
      }
    }
    return nil
  }()
}
