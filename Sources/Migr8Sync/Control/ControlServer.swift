// The listening end of a running job: one thread, any number of callers, one JSON object on a line in
// either direction. Nothing that a caller does or leaves undone holds the run up: whoever is slow to
// read loses his answers, whoever writes too much is sent away.

import Glibc
import ReplicaLink

/// Answers requests; called on the control thread, so it must not wait for anything.
protocol ControlHandler: AnyObject, Sendable {
  /// Answers `request` through `reply`, now or, from another thread, later. The last line of the answer
  /// is sent with `finish`.
  func handle(_ request: ControlRequest, _ reply: ControlReply)
}

/// The way back to the caller who asked. From any thread.
struct ControlReply: Sendable {
  fileprivate let server: ControlServer
  fileprivate let caller: UInt64

  /// Sends a line; more follow.
  func send(_ object: JSONObject) { server.post(object.text, to: caller, isLast: false) }

  /// Sends the last line of the answer.
  func finish(_ object: JSONObject) { server.post(object.text, to: caller, isLast: true) }

  /// Says that it was not done, and why.
  func refuse(_ reason: String) { finish(Self.refusal(reason)) }

  static func refusal(_ reason: String) -> JSONObject {
    var object = JSONObject()
    object.add("ok", false)
    object.add("error", reason)
    return object
  }
}

/// The control socket of a run, with its thread.
///
/// `@unchecked Sendable`: `mail` and `isStopping` are guarded by `monitor`; the rest is the thread's.
final class ControlServer: @unchecked Sendable {
  /// More callers than this at a time are sent away, unless one of them is forgotten.
  static let callersMax = 32
  /// Who asks nothing for so long, and waits for no answer, makes room for another caller, in milliseconds.
  static let idleMilliseconds: Int64 = 60_000
  /// How long nobody is taken where there is no descriptor for him, in milliseconds.
  private static let pauseMilliseconds: Int64 = 100
  /// How long the end of a run waits for callers to read what was said to them, in milliseconds.
  private static let farewellMilliseconds: Int64 = 1_000

  let path: String
  private let handler: any ControlHandler
  private let idleMilliseconds: Int64
  private let bell = WakePipe()
  private let monitor = Monitor()
  private var mail: [(line: String, caller: UInt64, isLast: Bool)] = []
  private var isStopping = false
  private var thread: NamedThread?

  /// Listens at `path` and starts the thread.
  ///
  /// - Throws: when the socket cannot be made.
  init(
    at path: String, handler: any ControlHandler, idleMilliseconds: Int64 = idleMilliseconds
  ) throws(ControlDirectory.Problem) {
    self.path = path
    self.handler = handler
    self.idleMilliseconds = idleMilliseconds
    let socket = try ControlSocket.listen(at: path)
    thread = start(socket)
  }

  /// Ends the thread, after what was said has been read, and removes the socket.
  func stop() {
    monitor.withLock { isStopping = true }
    bell.ring()
    thread?.join()
    thread = nil
  }

  fileprivate func post(_ line: String, to caller: UInt64, isLast: Bool) {
    monitor.withLock { mail.append((line, caller, isLast)) }
    bell.ring()
  }

  private func start(_ socket: consuming ControlSocket) -> NamedThread {
    // A closure cannot take ownership of what is not copyable.
    var handed: ControlSocket? = consume socket
    let listener = ListenerBox(handed.take()!)
    return NamedThread("control") { [self] in
      serve(listener)
      unlink(path)
    }
  }

  // MARK: - The control thread

  private func serve(_ listener: ListenerBox) {
    var callers: [UInt64: ControlCaller] = [:]
    var nextID: UInt64 = 1
    var deadline: Int64?
    var isKnockedAt = false
    while true {
      bell.silence()
      let letters = monitor.withLock {
        defer { mail = [] }
        if isStopping, deadline == nil {
          deadline = Clock.monotonicMilliseconds() + Self.farewellMilliseconds
        }
        return mail
      }
      for letter in letters { callers[letter.caller]?.say(letter.line, isLast: letter.isLast) }
      for (id, caller) in callers {
        for line in caller.exchange() { answer(line, id, caller) }
        if caller.isOver { callers[id] = nil }
      }
      var pause: Int64?
      if let deadline {
        if callers.values.allSatisfy(\.hasNothingToSay) { return }
        if Clock.monotonicMilliseconds() >= deadline { return }
      } else {
        while let socket = listener.accept() {
          isKnockedAt = false
          let caller = ControlCaller(socket)
          if callers.count >= Self.callersMax { leaveForgotten(among: &callers) }
          if callers.count >= Self.callersMax {
            caller.sendAway("\(Self.callersMax) others are connected")
          } else {
            callers[nextID] = caller
            nextID += 1
          }
        }
        // Whoever cannot be taken goes on knocking.
        if isKnockedAt { pause = Clock.monotonicMilliseconds() + Self.pauseMilliseconds }
      }
      isKnockedAt = wait(
        deadline == nil && pause == nil ? listener.descriptor : -1, callers,
        untilMilliseconds: deadline ?? pause)
    }
  }

  /// Makes room for one.
  private func leaveForgotten(among callers: inout [UInt64: ControlCaller]) {
    let since = Clock.monotonicMilliseconds() - idleMilliseconds
    if let id = callers.first(where: { $0.value.isIdle(since: since) })?.key { callers[id] = nil }
  }

  private func answer(_ line: [UInt8], _ id: UInt64, _ caller: ControlCaller) {
    caller.awaitsAnswer()
    let reply = ControlReply(server: self, caller: id)
    do {
      handler.handle(try ControlRequest(line: line), reply)
    } catch {
      reply.refuse("\(error)")
    }
  }

  /// Waits for what comes next; whether somebody knocks at `listener`, which may be -1 for none.
  private func wait(
    _ listener: Int32, _ callers: [UInt64: ControlCaller], untilMilliseconds deadline: Int64?
  ) -> Bool {
    var entries = [
      pollfd(fd: bell.readDescriptor, events: Int16(POLLIN), revents: 0),
      pollfd(fd: listener, events: Int16(POLLIN), revents: 0),
    ]
    entries += callers.values.map(\.interest)
    let left = deadline.map { max(0, $0 - Clock.monotonicMilliseconds()) }
    _ = poll(&entries, nfds_t(entries.count), left.map { Int32(clamping: $0) } ?? -1)
    return entries[1].revents != 0
  }
}

/// Carries the listening socket to the thread that owns it from then on.
///
/// `@unchecked Sendable`: made by one thread, used by the one it is handed to.
private final class ListenerBox: @unchecked Sendable {
  private let socket: ControlSocket

  init(_ socket: consuming ControlSocket) {
    self.socket = socket
  }

  var descriptor: Int32 { socket.descriptor }

  func accept() -> ControlSocket? { socket.accept() }
}
