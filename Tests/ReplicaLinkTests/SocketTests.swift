// Connecting: addresses of both families, names with several of them, ports that refuse or swallow,
// unix sockets; and the bell that ends a wait.

import Foundation
import Testing

@testable import ReplicaLink

@Suite(.timeLimit(.minutes(1)))
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
}
