// One cutover: carries out what CutoverMachine says, on a thread of its own in the process of the job.
// The whole of it happens between two commands of the stream, so it asks the job for little: how far the
// replays are, and where they have to stop.

import Glibc
import ReplicaLink
import Synchronization

/// What a cutover needs of the job that runs.
struct CutoverSubject: Sendable {
  let job: Job
  let options: SyncOptions
  let identity: JobIdentity
  /// What was found when both ends were last compared; asked when it matters.
  let verification: @Sendable () -> Verification

  /// The outcome of a comparison of both ends.
  enum Verification: Sendable, Equatable {
    /// There was none that the job knows of.
    case none
    case clean
    case different(UInt64)
    /// None that counts, and why.
    case unclear(String)

    /// The outcome in a word, and the reason where it does not count.
    var words: (state: String, reason: String?) {
      switch self {
      case .none: ("none", nil)
      case .clean: ("clean", nil)
      case .different: ("different", nil)
      case .unclear(let reason): ("unclear", reason)
      }
    }
  }

  /// The source that takes the writes, whichever replica of it the link is attached to.
  var source: ServerLocator { ServerLocator(options.source, timeouts: options.timeouts) }
}

/// Hands the application over. `run` occupies a thread.
final class Cutover {
  let subject: CutoverSubject
  let settings: CutoverSettings
  var machine: CutoverMachine
  var log: CutoverLog
  let bell: WakePipe
  var fence: SourceFence?
  var ends = DestinationEnds()
  var endPlace: ReplicationPlace?
  var fenceBegun: Int64 = 0
  var fenceLowered: Int64 = 0
  var endedConnections = 0
  /// What the link and this machine's clock had told when the fence began.
  var fullResyncs = 0
  var sleptMilliseconds: Int64 = 0
  /// With --reverse: what was found of it, the reverse itself, and where it begins.
  var reversePlan: Reverse.Plan?
  var reverse: Reverse?
  var reversePlace: ReplicationPlace?
  /// Whether the operator wants the whole run to end.
  var isStopRequested: Bool { subject.job.isStopRequested }

  init(
    _ subject: CutoverSubject, _ settings: CutoverSettings, say: @escaping (JSONObject) -> Void
  ) {
    self.subject = subject
    self.settings = settings
    bell = subject.job.source.stopBell
    machine = CutoverMachine(settings)
    log = CutoverLog(say)
  }

  var gate: StreamGate { subject.job.source.gate }
  var replays: [DestinationReplay] { subject.job.replays }

  /// Does all of it.
  ///
  /// - Returns: the report, and whether the application was handed over: then the job is to end.
  func run() -> (report: JSONObject, isHandedOver: Bool) {
    if settings.isDryRun { return (dryRun(), false) }
    while true {
      let step = machine.step
      let start = Clock.monotonicMicroseconds()
      var failure: String?
      do throws(CutoverError) {
        let message = try carryOut(step)
        log.end(step, since: start, message)
      } catch {
        failure = error.description
        log.end(step, since: start, error.description, isGood: false)
      }
      let now = Clock.monotonicMilliseconds()
      if step == .finish || step == .giveUp { break }
      if let failure {
        _ = machine.failed(failure, nowMilliseconds: now)
      } else {
        _ = machine.succeeded(nowMilliseconds: now)
      }
    }
    for replay in replays { replay.recentKeys.gather(false) }
    return (report(), machine.failure == nil)
  }

  private func carryOut(_ step: CutoverStep) throws(CutoverError) -> String {
    if step != .finish, machine.failure == nil, !machine.isHandedOver, isStopRequested {
      throw CutoverError("the run is to stop")
    }
    switch step {
    case .examine: return try examine()
    case .observe: return observe()
    case .ready: return try hook(.ready, milliseconds: settings.hookMilliseconds)
    case .postpone: return try postpone()
    case .attach: return try attach()
    case .fence: return try raiseFence()
    case .drain: return try drain()
    case .check: return try check()
    case .mark: return try mark()
    case .handOver: return try switchOver()
    case .lift: return try lift()
    case .carry: return try carry()
    case .turn: return try turn()
    case .settle: return try settle()
    case .finish: return finish()
    case .unmark: return try unmark()
    case .lower: return try lower()
    case .reopen: return reopen()
    case .detach: return detach()
    case .tell: return try hook(.failed, milliseconds: settings.hookMilliseconds)
    case .giveUp: return "the run goes on following; the application stays where it is"
    }
  }

  // MARK: - Hooks

  /// Runs the operator's command for an event, where there is one.
  func hook(_ event: HookEvent, milliseconds: Int64) throws(CutoverError) -> String {
    guard let command = settings.hooks[event] else { return "no command is given for it" }
    let trouble = Hook(command: command, facts: facts(event)).run(milliseconds: milliseconds)
    if let trouble { throw CutoverError("the command of --\(event.option): \(trouble)") }
    return "the command of --\(event.option) is done"
  }

  private func facts(_ event: HookEvent) -> [(name: String, value: String)] {
    var facts = [
      ("EVENT", event.rawValue), ("JOB", subject.identity.name),
      ("DIRECTION", subject.options.direction),
      ("SOURCE", "\(subject.options.source.endpoint)"),
      (
        "DESTINATIONS",
        subject.options.routes.map { "\($0.destination.endpoint)" }.joined(separator: " ")
      ),
    ]
    if let endPlace {
      facts += [("END_OFFSET", "\(endPlace.offset)"), ("END_REPLID", endPlace.replicationID)]
    }
    if let end = machine.fenceEndsMilliseconds {
      facts.append(("FENCE_LEFT_MS", "\(max(0, end - Clock.monotonicMilliseconds()))"))
    }
    if let failure = machine.failure { facts.append(("REASON", failure)) }
    return facts
  }

  // MARK: - The report

  private func report() -> JSONObject {
    var object = JSONObject()
    object.add("ok", machine.failure == nil)
    object.add("event", "cutover_end")
    object.add("job", subject.identity.name)
    if let failure = machine.failure { object.add("error", failure) }
    if let endPlace {
      object.add("end_offset", endPlace.offset)
      object.add("end_replid", endPlace.replicationID)
    }
    object.add("direction", subject.options.direction)
    if let reversePlace, machine.failure == nil {
      object.add("reverse_offset", reversePlace.offset)
      object.add("reverse_replid", reversePlace.replicationID)
    }
    if fenceLowered > fenceBegun { object.add("pause_us", fenceLowered - fenceBegun) }
    if endedConnections > 0 { object.add("connections_ended", UInt64(endedConnections)) }
    if settings.queued == .carry {
      let carried = replays.map(\.carriedWrites.all)
      object.add("carried_writes", carried.reduce(0) { $0 + $1.count })
      object.add("carried_write_examples", carried.flatMap(\.examples))
    }
    let late = replays.map(\.lateWrites.all)
    object.add("late_writes", late.reduce(0) { $0 + $1.count })
    object.add("late_write_examples", late.flatMap(\.examples))
    object.add("troubles", machine.troubles)
    var steps = JSONObject()
    for (step, microseconds) in log.steps { steps.add(step.rawValue, microseconds) }
    object.add("steps_us", steps)
    return object
  }
}

/// The connections to the destinations that a cutover uses inside its fence.
final class DestinationEnds {
  /// One destination's.
  final class End {
    var record: RedisConnection
    var check: LastCheck?
    /// Whether the record may say that the hand-over has begun.
    var isMarked = false
    init(_ record: consuming RedisConnection) { self.record = record }
  }

  var ends: [End] = []
}
