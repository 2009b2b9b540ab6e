// The small client: a bell ends whatever it waits for, and it says when the other end speaks TLS.

import Glibc
import Testing

@testable import ReplicaLink

@Suite(.timeLimit(.minutes(10)))
struct RedisConnectionTests {
  private static let patient = Timeouts(connectMilliseconds: 600_000, ioMilliseconds: 600_000)

  /// A server that accepts and never answers, as one that is frozen: Ctrl-C must not wait for it.
  @Test func aBellEndsLoggingIn() throws {
    let master = try FakeMaster()
    let bell = WakePipe()
    let url = try master.url("user:secret@")
    let ringer = NamedThread("ringer") {
      // Only once the connection stands, so that it is AUTH that waits.
      if let peer = try? master.accept(), (try? peer.hear()) != nil { bell.ring() }
    }
    #expect(throws: LinkError(.stopped, "waiting for \(url.endpoint)", "stopped by request")) {
      _ = try RedisConnection.open(url, timeouts: Self.patient, interrupt: bell)
    }
    ringer.join()
  }

  @Test func aBellEndsEveryLaterCommandReadingOrWriting() throws {
    let master = try FakeMaster(receiveBytes: 4096)
    let bell = WakePipe()
    var connection = try RedisConnection.open(
      master.url(), timeouts: Self.patient, interrupt: bell)
    let peer = try master.accept()
    try peer.say("+OK\r\n")
    #expect(try connection.command("SELECT", "1").text == "OK")
    bell.ring()
    for size in [1, 64 << 20] {
      var code: LinkError.Code?
      do throws(LinkError) {
        _ = try connection.command([[UInt8](repeating: 120, count: size)])
      } catch {
        code = error.code
      }
      #expect(code == .stopped)
    }
  }

  /// What a server of TLS says to somebody who does not speak it: an alert, or nothing at all.
  @Test(arguments: [[21, 3, 1, 0, 2, 2, 70], []] as [[UInt8]])
  func aServerOfTLSIsRecognised(answer: [UInt8]) throws {
    let master = try FakeMaster()
    var connection = try RedisConnection.open(master.url(), timeouts: Self.patient)
    let peer = try master.accept()
    try peer.say(answer)
    peer.hangUp()
    var advice: String?
    do throws(LinkError) {
      _ = try connection.command("PING")
    } catch {
      advice = error.advice
    }
    #expect(advice?.contains("use rediss://") == true)
  }
}
