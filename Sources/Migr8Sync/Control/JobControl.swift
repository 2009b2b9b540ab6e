// What a running job does when it is asked through its socket. On the control thread: everything is
// answered from numbers that are there; a cutover gets a thread of its own, and so does a comparison.

import Glibc
import ReplicaLink

/// How a run ends that was told to through its socket.
enum ControlledEnding: Sendable {
  /// It was not: by itself, or by a signal.
  case none
  /// The application was handed over, and the job is done, or goes on as its reverse.
  case handedOver(Reverse?)
  /// The reverse was to end, and with it the job.
  case completed
}

/// Answers for one job, and for its reverse.
///
/// `@unchecked Sendable`: what changes is guarded by `monitor`; `server` is set before there is a run.
final class JobControl: ControlHandler, @unchecked Sendable {
  /// What is answered for, and the comparison of its ends.
  private struct Present {
    let subject: CutoverSubject
    let verification: JobVerification

    init(_ job: Job, _ options: SyncOptions, _ identity: JobIdentity) {
      let verification = JobVerification(job, options, identity)
      self.verification = verification
      subject = CutoverSubject(job: job, options: options, identity: identity) {
        verification.verification
      }
    }
  }

  private let monitor = Monitor()
  private var present: Present
  /// The thread of the last cutover, and how far it is.
  private var cutover: NamedThread?
  private var isUnderWay = false
  /// What the last cutover still tries to take back.
  private var owed: String?
  private var ending = ControlledEnding.none
  /// Whether the operator has asked for the end: of what answers then, and of what takes its place.
  private var isToStop = false
  private var server: ControlServer?

  init(_ job: Job, _ options: SyncOptions, _ identity: JobIdentity) {
    present = Present(job, options, identity)
  }

  private var subject: CutoverSubject { monitor.withLock { present.subject } }
  private var verification: JobVerification { monitor.withLock { present.verification } }

  /// Listens from now on.
  ///
  /// - Returns: what is in the way; nil when nothing is.
  func open() -> String? {
    let environment = { (name: String) in getenv(name).map { String(cString: $0) } }
    var trouble: String?
    for directory in ControlDirectory.candidates(environment) {
      do throws(ControlDirectory.Problem) {
        try directory.prepare()
        for path in try directory.sockets() where ControlSocket.isStale(path) { unlink(path) }
        let path = try directory.socketPath(job: subject.identity.name)
        server = try ControlServer(at: path, handler: self)
        return nil
      } catch {
        trouble = error.description
      }
    }
    return trouble
  }

  /// What a failed cutover could not take back; ask when the run is over.
  var debt: String? { monitor.withLock { owed } }

  /// Ends a cutover and a comparison that are under way. The run is to stop, or is over.
  func settle() -> ControlledEnding {
    subject.job.requestStop()
    monitor.withLock { cutover }?.join()
    verification.stop()
    return monitor.withLock {
      cutover = nil
      return ending
    }
  }

  /// Answers for another run from now on, in the same place.
  func turn(to job: Job, _ options: SyncOptions, _ identity: JobIdentity) {
    monitor.withLock {
      present = Present(job, options, identity)
      ending = .none
      isUnderWay = false
      if isToStop { job.requestStop() }
    }
  }

  /// Ends the socket.
  func close() { server?.stop() }

  func handle(_ request: ControlRequest, _ reply: ControlReply) {
    let source = subject.job.source
    switch request {
    case .status: reply.finish(status())
    case .pause, .resume:
      if isBusy { return reply.refuse("a cutover is under way") }
      if case .pause = request { source.gate.pause(true) } else { source.gate.pause(false) }
      reply.finish(status())
    case .throttle(let limit):
      source.pacer.set(limit)
      reply.finish(status())
    case .verify(let rate): verification.begin(keysPerSecondMax: rate, reply)
    case .stop:
      monitor.withLock {
        isToStop = true
        present.subject.job.requestStop()
      }
      reply.finish(status())
    case .complete: complete(reply)
    case .cutover(let settings): begin(settings, reply)
    }
  }

  private func complete(_ reply: ControlReply) {
    if !subject.options.isReverse {
      return reply.refuse("there is no reverse to end: nobody was handed over with --reverse")
    }
    if isBusy { return reply.refuse("a cutover is under way") }
    monitor.withLock { ending = .completed }
    subject.job.requestStop()
    reply.finish(status())
  }

  private var isBusy: Bool { monitor.withLock { isUnderWay } }

  private func begin(_ settings: CutoverSettings, _ reply: ControlReply) {
    monitor.withLock {
      if isUnderWay { return reply.refuse("a cutover is under way already") }
      if let owed { return reply.refuse("the last cutover is not taken back: \(owed)") }
      if present.subject.job.isStopRequested { return reply.refuse("the run is to stop") }
      // It has ended, but for its last instruction.
      cutover?.join()
      isUnderWay = true
      cutover = NamedThread("cutover") { [self] in carryOut(settings, reply) }
    }
  }

  /// On the cutover's thread.
  private func carryOut(_ settings: CutoverSettings, _ reply: ControlReply) {
    let subject = subject
    let notices = subject.job.replays[0].progress.notices
    let cutover = Cutover(subject, settings) { line in reply.send(line) }
    if !settings.isDryRun { notices.note("a cutover was asked for") }
    let (report, isHandedOver) = cutover.run()
    if !settings.isDryRun { notices.note(CutoverText.summary(report)) }
    reply.finish(report)
    if isHandedOver { subject.job.source.gate.close() }
    monitor.withLock {
      if isHandedOver { ending = .handedOver(cutover.reverse) }
      // Behind a hand-over there is nothing more to ask for.
      isUnderWay = isHandedOver
      owed = cutover.owed
    }
    // Who asks for the next one waits for this thread, and holds the monitor, unless something is owed.
    if cutover.owed == nil { return }
    cutover.payDebts()
    monitor.withLock { owed = cutover.owed }
  }

  private func status() -> JSONObject {
    let subject = subject
    let job = subject.job
    var object = JSONObject()
    object.add("ok", true)
    object.add("event", "status")
    object.add("job", subject.identity.name)
    object.add("direction", subject.options.direction)
    object.add("process", Int64(getpid()))
    object.add("source", "\(subject.options.source.endpoint)")
    object.add("destination_addresses", subject.options.routes.map { "\($0.destination.endpoint)" })
    object.add("rules", subject.identity.rules)
    object.add("paused", job.source.gate.isPaused)
    object.add("max_rate", job.source.pacer.limit.text)
    object.add("cutover", isBusy)
    verification.add(to: &object)
    job.progressSnapshot().add(to: &object)
    return object
  }
}
