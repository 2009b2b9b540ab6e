// What may be asked of a job, and how a line that is not that is answered.

import Testing

@testable import Migr8Sync

@Suite("Requests to a running job")
struct ControlRequestTests {
  private func read(_ line: String) throws -> ControlRequest {
    try ControlRequest(line: Array(line.utf8))
  }

  private func problem(_ line: String) -> String {
    do {
      _ = try read(line)
      return "none"
    } catch {
      return "\(error)"
    }
  }

  @Test func theRate() throws {
    guard case .throttle(let limit) = try read(#"{"command":"throttle","rate":"500,2mb"}"#) else {
      Issue.record("no throttle")
      return
    }
    #expect(limit == RateLimit(commandsPerSecond: 500, bytesPerSecond: 2 << 20))
    #expect(limit.text == "500,2mb")
  }

  @Test func aCutoversSettingsAreTheCommandLinesOwn() throws {
    let line =
      #"{"command":"cutover","fence":"acl:app","fence-time":"3s","skip-verify":true,"#
      + #""on-cutover":"x y","queued":"run","dry-run":false}"#
    guard case .cutover(let settings) = try read(line) else {
      Issue.record("no cutover")
      return
    }
    #expect(settings.fence == .user("app"))
    #expect(settings.fenceMilliseconds == 3_000)
    #expect(settings.skipsVerify && !settings.isDryRun)
    #expect(settings.hooks == [.cutover: "x y"])
    #expect(settings.queued == .run)
  }

  @Test(arguments: [
    ("status", "not JSON"), ("[]", "the command is missing"), ("{}", "the command is missing"),
    (#"{"command":"drop"}"#, "unknown command"), (#"{"command":1}"#, "the command is missing"),
    (#"{"command":"status","x":1}"#, "takes no \"x\""),
    (#"{"command":"throttle"}"#, "throttle takes"),
    (#"{"command":"throttle","rate":"0"}"#, "throttle takes"),
    (#"{"command":"cutover","fence":"acl:"}"#, "fence takes"),
    (#"{"command":"cutover","fence":"acl:a b"}"#, "fence takes"),
    (#"{"command":"cutover","fence":"hook"}"#, "--on-fence and --on-lift"),
    (#"{"command":"cutover","fence-time":5}"#, "fence-time takes"),
    (#"{"command":"cutover","fence-time":"5"}"#, "a time with its unit"),
    (#"{"command":"cutover","fence-time":"100ms"}"#, "at least"),
    (#"{"command":"cutover","linger":"2m"}"#, "up to a minute"),
    (#"{"command":"cutover","postpone-file":"here"}"#, "a path from the root"),
    (#"{"command":"cutover","queued":"lose"}"#, "refuse, run or carry"),
    (#"{"command":"cutover","queued":"carry","reverse":true}"#, "queued takes"),
    (#"{"command":"cutover","back":true,"reverse":true}"#, "back takes no --reverse"),
  ])
  func refusals(line: String, reason: String) {
    #expect(problem(line).contains(reason), "\(problem(line))")
  }
}

@Suite("The limit on the rate")
struct RateLimitTests {
  @Test(arguments: ["", ",", "5,5", "1mb,2mb", "-1", "0", "0mb", "5 ,1mb", "none,5", "x"])
  func whatIsNoRate(text: String) {
    #expect(RateLimit(text) == nil)
  }

  @Test(arguments: ["none", "5000", "10mb", "5000,1536kb", "1b", "3gb"])
  func isWrittenAsItWasRead(text: String) {
    #expect(RateLimit(text)?.text == text)
  }

  /// Over a simulated minute no more passes than the rate and one burst allow, and hardly less.
  @Test(arguments: [(100, 1), (100, 7), (5000, 1), (5000, 900), (1_000_000, 131_072), (3, 50)])
  func theBucketKeepsTheRate(rate: Int, piece: Int) {
    var bucket = TokenBucket(perSecond: UInt64(rate), nowMilliseconds: 0)
    var now: Int64 = 0
    var taken = 0
    while now < 60_000 {
      let delay = bucket.delay(nowMilliseconds: now)
      if delay == 0 {
        bucket.take(piece)
        taken += piece
      } else {
        now += delay
      }
    }
    let ideal = rate * 60
    #expect(taken <= ideal + rate / 20 + 2 * piece + 1)
    #expect(Double(taken) >= Double(ideal) * 0.9 - Double(piece))
  }

  @Test func aClockThatStandsOrJumpsIsHarmless() {
    var bucket = TokenBucket(perSecond: 1, nowMilliseconds: 1_000)
    bucket.take(5)
    #expect(bucket.delay(nowMilliseconds: 0) > 0)
    #expect(bucket.delay(nowMilliseconds: .max) == 0)
  }
}
