// Feels the source's pulse: asks it, twenty times a second, how far its stream has come and what time it
// is, on a connection and a thread of its own. Only once somebody wants to know, which is when there are
// keys that expire.

import ReplicaLink
import Synchronization

/// Asks until stopped.
///
/// `@unchecked Sendable`: all that changes is guarded by `monitor`, or atomic.
final class SourcePulse: @unchecked Sendable {
  /// How far the questions are apart.
  static let intervalMilliseconds: Int64 = 50
  /// How long to wait after a failure.
  private static let pauseMilliseconds: Int64 = 500

  /// Counts the answers.
  let generation = Atomic<UInt64>(0)
  private let source: @Sendable () throws(LinkError) -> RedisURL
  private let following: @Sendable () -> [UInt8]
  private let timeouts: Timeouts
  private let stopBell = WakePipe()
  private let monitor = Monitor()
  private var pulse = Pulse()
  private var history = ""
  private var clockOffset: Int64?
  private var isWanted = false
  private var isStopping = false

  /// - Parameters:
  ///   - source: where the server is whose stream is followed.
  ///   - following: the name of the history that is followed: offsets of another say nothing.
  init(
    source: @escaping @Sendable () throws(LinkError) -> RedisURL, timeouts: Timeouts,
    following: @escaping @Sendable () -> [UInt8]
  ) {
    self.source = source
    self.timeouts = timeouts
    self.following = following
  }

  /// What the answers have come to: offsets of the stream with times on the monotonic clock, and the
  /// source's clock less that clock.
  var reading: (pulse: Pulse, clockOffset: Int64?) {
    monitor.withLock { (pulse, clockOffset) }
  }

  /// Somebody wants to know from now on.
  func want() {
    monitor.withLock {
      isWanted = true
      monitor.broadcast()
    }
  }

  /// Starts the thread.
  func start() -> NamedThread {
    NamedThread("pulse") { [self] in
      while awaitWish() {
        // A source that cannot be reached is the link's to report; until it is, nothing is known.
        do throws(LinkError) { try ask() } catch {}
        guard pause(Self.pauseMilliseconds) else { return }
      }
    }
  }

  /// Ends the thread soon.
  func stop() {
    stopBell.ring()
    monitor.withLock {
      isStopping = true
      monitor.broadcast()
    }
  }

  private func ask() throws(LinkError) {
    var connection = try RedisConnection.open(
      try source(), timeouts: timeouts, interrupt: stopBell)
    var clock = ClockReading()
    repeat {
      let sent = Clock.monotonicMilliseconds()
      connection.enqueue([Array("INFO".utf8), Array("replication".utf8)])
      connection.enqueue([Array("TIME".utf8)])
      let facts = ServerFacts(info: try connection.receive().text ?? "")
      let time = try connection.receive().milliseconds
      let received = Clock.monotonicMilliseconds()
      // A replica's place is what it has applied; how far it is behind its master it does not say.
      let offset = facts.isReplica ? facts.appliedOffset : facts.replicationOffset
      note(facts.replicationID, offset, sent)
      if let time, let offset = clock.offset(of: time, between: sent, and: received) {
        monitor.withLock { clockOffset = offset }
      }
    } while pause(Self.intervalMilliseconds)
  }

  private func note(_ identity: String?, _ offset: UInt64?, _ milliseconds: Int64) {
    let followed = String(decoding: following(), as: UTF8.self)
    monitor.withLock {
      if followed != history { pulse = Pulse() }
      history = followed
      if let offset, identity == followed { pulse.note(offset: offset, milliseconds: milliseconds) }
    }
    generation.add(1, ordering: .releasing)
  }

  private func awaitWish() -> Bool {
    monitor.withLock {
      while !isWanted, !isStopping { monitor.wait() }
      return !isStopping
    }
  }

  /// False when a stop was asked for.
  private func pause(_ milliseconds: Int64) -> Bool {
    let deadline = Clock.monotonicMilliseconds() + milliseconds
    return monitor.withLock {
      while !isStopping, monitor.wait(untilMilliseconds: deadline) {}
      return !isStopping
    }
  }
}

extension RESPValue {
  /// What TIME answers, in milliseconds since 1970; `nil` for anything else. Below 2^53, some 285,000
  /// years, so that sums and differences of such times do not overflow.
  var milliseconds: Int64? {
    guard let parts = array, parts.count == 2, let seconds = parts[0].integer,
      let microseconds = parts[1].integer, (0..<1 << 43).contains(seconds),
      (0..<1_000_000).contains(microseconds)
    else { return nil }
    return seconds * 1000 + microseconds / 1000
  }
}
