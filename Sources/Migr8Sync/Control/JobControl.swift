// What a running job does when it is asked through its socket. On the control thread: everything is
// answered from numbers that are there; a cutover gets a thread of its own, and so does a comparison.

import Glibc
import ReplicaLink

/// Answers for one job.
///
/// `@unchecked Sendable`: what a cutover changes is guarded by `monitor`; `server` is set before there is
/// a run.
final class JobControl: ControlHandler, @unchecked Sendable {
  private let subject: CutoverSubject
  private let verification: JobVerification
  private let stop: @Sendable () -> Void
  private let monitor = Monitor()
  /// The thread of the last cutover, and how far it is.
  private var cutover: NamedThread?
  private var isUnderWay = false
  private var isHandedOver = false
  private var server: ControlServer?

  /// - Parameter stop: ends the run, as SIGTERM does.
  init(
    _ job: Job, _ options: SyncOptions, _ identity: JobIdentity,
    stop: @escaping @Sendable () -> Void
  ) {
    let verification = JobVerification(job, options, identity)
    self.verification = verification
    subject = CutoverSubject(job: job, options: options, identity: identity) {
      verification.verification
    }
    self.stop = stop
  }

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

  /// Ends a cutover and a comparison that are under way, then the socket. The run must have been asked to stop, or be over.
  ///
  /// - Returns: whether the application was handed over: then the job is done, however the run ended.
  func close() -> Bool {
    subject.job.requestStop()
    monitor.withLock { cutover }?.join()
    verification.stop()
    server?.stop()
    return monitor.withLock { isHandedOver }
  }

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
      stop()
      reply.finish(status())
    case .cutover(let settings): begin(settings, reply)
    }
  }

  private var isBusy: Bool { monitor.withLock { isUnderWay } }

  private func begin(_ settings: CutoverSettings, _ reply: ControlReply) {
    monitor.withLock {
      if isUnderWay { return reply.refuse("a cutover is under way already") }
      if subject.job.isStopRequested { return reply.refuse("the run is to stop") }
      // It has ended, but for its last instruction.
      cutover?.join()
      isUnderWay = true
      cutover = NamedThread("cutover") { [self] in carryOut(settings, reply) }
    }
  }

  /// On the cutover's thread.
  private func carryOut(_ settings: CutoverSettings, _ reply: ControlReply) {
    let notices = subject.job.replays[0].progress.notices
    let cutover = Cutover(subject, settings) { line in reply.send(line) }
    if !settings.isDryRun { notices.note("a cutover was asked for") }
    let (report, isHandedOver) = cutover.run()
    if !settings.isDryRun { notices.note(CutoverText.summary(report)) }
    reply.finish(report)
    if isHandedOver { subject.job.source.gate.close() }
    monitor.withLock {
      self.isHandedOver = isHandedOver
      // Behind a hand-over there is nothing more to ask for.
      isUnderWay = isHandedOver
    }
  }

  private func status() -> JSONObject {
    let job = subject.job
    var object = JSONObject()
    object.add("ok", true)
    object.add("event", "status")
    object.add("job", subject.identity.name)
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
