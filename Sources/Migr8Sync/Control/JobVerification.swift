// The comparison of both ends that a running job makes when it is asked to: with its own servers and rules,
// beside its own checkpoint, on a thread of its own. Its outcome is what a cutover asks for.

import ReplicaLink

/// Compares what a job has moved, and remembers what came of it.
///
/// `@unchecked Sendable`: everything that changes is guarded by `monitor`.
final class JobVerification: @unchecked Sendable {
  /// A comparison counts for a cutover for so long, in milliseconds: a day.
  static let validMillisecondsMax: Int64 = 86_400_000
  /// So many keys are named to the caller; the others are counted.
  static let namedMax = 1_000

  /// How a comparison ended.
  private struct Outcome {
    var numbers: VerifyProgress.Snapshot
    /// Why it did not come to its end.
    var trouble: String?
    /// On the monotonic clock.
    var endedMilliseconds: Int64
    /// What had happened to the data when it began.
    var history: History
  }

  /// What makes an earlier comparison worth nothing: the data have come anew, or were not as they should be.
  private struct History: Equatable {
    var snapshots: Int
    var refusals: UInt64
  }

  private let job: Job
  private let options: SyncOptions
  private let identity: JobIdentity
  private let monitor = Monitor()
  private var thread: NamedThread?
  private var underWay: VerifyProgress?
  private var last: Outcome?

  init(_ job: Job, _ options: SyncOptions, _ identity: JobIdentity) {
    self.job = job
    self.options = options
    self.identity = identity
  }

  /// Begins a comparison; its findings go to `reply`, a line each, and stay known when nobody listens.
  func begin(keysPerSecondMax: UInt64?, _ reply: ControlReply) {
    monitor.withLock {
      if underWay != nil { return reply.refuse("a comparison is under way already") }
      if job.isStopRequested { return reply.refuse("the run is to stop") }
      if job.source.gate.isPaused { return reply.refuse("the run is paused: resume it first") }
      // It has ended, but for its last instruction.
      thread?.join()
      let progress = VerifyProgress()
      underWay = progress
      thread = NamedThread("verify") { [self] in
        run(progress, keysPerSecondMax, reply)
      }
    }
  }

  /// Ends what is under way. The run must have been asked to stop.
  func stop() {
    let running = monitor.withLock {
      underWay?.cancel()
      return thread
    }
    running?.join()
  }

  private var history: History {
    History(
      snapshots: job.link.status.fullResyncCount,
      refusals: job.replays.reduce(0) { $0 + $1.streamCounters.reading.refusals })
  }

  // MARK: - On its thread

  private func run(
    _ progress: VerifyProgress, _ keysPerSecondMax: UInt64?, _ reply: ControlReply
  ) {
    let history = history
    let start = Clock.monotonicMilliseconds()
    var trouble: String?
    do throws(ReplayError) {
      for index in options.routes.indices {
        try compare(index, progress, keysPerSecondMax, reply)
      }
    } catch {
      trouble = error.isInterruption ? "the run was stopped" : "\(error)"
    }
    let end = Clock.monotonicMilliseconds()
    let numbers = progress.snapshot
    let text = trouble ?? VerifyLines.summary(numbers, milliseconds: end - start)
    var object = JSONObject()
    object.add("ok", trouble == nil)
    object.add("event", "verify_end")
    numbers.add(to: &object)
    object.add("elapsed_ms", end - start)
    object.add("text", text)
    if let trouble { object.add("error", trouble) }
    monitor.withLock {
      last = Outcome(
        numbers: numbers, trouble: trouble, endedMilliseconds: end, history: history)
      underWay = nil
    }
    job.replays[0].progress.notices.note("comparison of both ends: \(text)")
    reply.finish(object)
  }

  private func compare(
    _ route: Int, _ progress: VerifyProgress, _ keysPerSecondMax: UInt64?, _ reply: ControlReply
  ) throws(ReplayError) {
    var plan = VerifyPlan(
      source: options.sourceLocator, destination: options.locator(of: options.routes[route]),
      mapping: options.routes[route].mapping,
      words: options.routes[route].words.joined(separator: ", "), timeouts: options.timeouts)
    plan.jobName = identity.name
    plan.jobDatabase =
      JobIdentity(name: identity.name, options: options, route: route).database
    plan.keysPerSecondMax = keysPerSecondMax
    plan.route = route
    plan.interrupt = job.source.stopBell
    var named = 0
    func tell(_ line: JSONObject, _ text: String) {
      named += 1
      guard named <= Self.namedMax else { return }
      var line = line
      line.add("text", text)
      reply.send(line)
    }
    var verifier = try Verifier(
      plan, progress: progress, onDifference: { tell($0.json, $0.text) },
      onUndecided: { tell(VerifyLines.undecidedJSON($0), VerifyLines.undecidedText($0)) }
    ) { (finding) throws(ReplayError) in
      switch finding {
      case .job: break
      case .none: throw ReplayError("the job's own record is not found at the destination")
      case .unclear(let reason): throw ReplayError(reason)
      }
    }
    try verifier.run()
  }

  // MARK: - For others

  /// What a cutover is to make of it.
  var verification: CutoverSubject.Verification {
    let (underWay, last) = monitor.withLock { (self.underWay, self.last) }
    if underWay != nil { return .unclear("a comparison of both ends is under way") }
    guard let last else { return .none }
    if let trouble = last.trouble {
      return .unclear("the last comparison of both ends has failed: \(trouble)")
    }
    if last.numbers.differenceCount > 0 { return .different(last.numbers.differenceCount) }
    if last.numbers.undecided > 0 {
      return .unclear(
        "the last comparison of both ends left \(last.numbers.undecided) keys undecided")
    }
    let age = Clock.monotonicMilliseconds() - last.endedMilliseconds
    if age > Self.validMillisecondsMax {
      return .unclear(
        "the last comparison of both ends was \(HumanNumber.duration(milliseconds: age)) ago")
    }
    let now = history
    if now.snapshots != last.history.snapshots {
      return .unclear("a new snapshot has come since both ends were compared")
    }
    if now.refusals != last.history.refusals {
      return .unclear(
        "the destination has refused commands since both ends were compared: keys were not as they"
          + " should be")
    }
    return .clean
  }

  /// Adds how far it is, or what came of the last.
  func add(to status: inout JSONObject) {
    let (underWay, last) = monitor.withLock { (self.underWay, self.last) }
    var object = JSONObject()
    if let underWay {
      let numbers = underWay.snapshot
      object.add("state", "under way")
      object.add("phase", numbers.phase.rawValue)
      numbers.add(to: &object)
    } else if let last {
      let (state, reason) = verification.words
      object.add("state", state)
      if let reason { object.add("reason", reason) }
      object.add("age_ms", Clock.monotonicMilliseconds() - last.endedMilliseconds)
      last.numbers.add(to: &object)
    } else {
      return
    }
    status.add("verification", object)
  }
}
