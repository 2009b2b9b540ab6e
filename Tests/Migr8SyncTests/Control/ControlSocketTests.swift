// The control socket with real sockets and no job: who may use it, who finds it, and callers of every
// bad habit, none of whom disturbs the others.

import Glibc
import ReplicaLink
import Testing

@testable import Migr8Sync

/// Answers status at once and stop with two lines.
private final class Echo: ControlHandler {
  func handle(_ request: ControlRequest, _ reply: ControlReply) {
    var object = JSONObject()
    object.add("ok", true)
    object.add("job", "echo")
    if case .stop = request { reply.send(object) }
    reply.finish(object)
  }
}

@Suite("The control socket")
struct ControlSocketTests {
  private func makeFolder() throws -> String {
    var template = Array("/tmp/migr8sync-control-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Runs `body` with a server that listens in a folder of its own.
  private func withServer(
    idleMilliseconds: Int64 = ControlServer.idleMilliseconds,
    _ body: (_ path: String, _ environment: (String) -> String?) throws -> Void
  ) throws {
    let runtime = try makeFolder()
    defer { rmdir(runtime) }
    let environment = { (name: String) in name == "XDG_RUNTIME_DIR" ? runtime : nil }
    let directory = ControlDirectory.candidates(environment)[0]
    try directory.prepare()
    defer { rmdir(directory.path) }
    let path = try directory.socketPath(job: "echo")
    let server = try ControlServer(
      at: path, handler: Echo(), idleMilliseconds: idleMilliseconds)
    defer { server.stop() }
    try body(path, environment)
  }

  /// All that comes back for `bytes` after our end was closed.
  private func talk(_ path: String, _ bytes: [UInt8], closes: Bool = true) throws -> [String] {
    guard let socket = ControlSocket.connect(to: path) else { throw Gone() }
    var rest = bytes
    let deadline = Clock.monotonicMilliseconds() + 30_000
    while !rest.isEmpty {
      switch socket.send(rest) {
      case .bytes(let count): rest.removeFirst(count)
      case .wouldBlock: _ = socket.wait(for: POLLOUT, untilMilliseconds: deadline)
      case .ended: rest = []
      }
    }
    if closes { shutdown(socket.descriptor, Int32(SHUT_WR)) }
    var said: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      switch socket.receive(into: &buffer) {
      case .bytes(let count): said += buffer[..<count]
      case .ended:
        return String(decoding: said, as: UTF8.self).split(separator: "\n").map(String.init)
      case .wouldBlock:
        guard socket.wait(for: POLLIN, untilMilliseconds: deadline) else { throw Gone() }
      }
    }
  }

  private struct Gone: Error {}

  private func connect(_ path: String) throws -> ControlSocket {
    guard let socket = ControlSocket.connect(to: path) else { throw Gone() }
    return socket
  }

  @Test func isForItsUserAlone() throws {
    try withServer { path, _ in
      var status = stat()
      #expect(lstat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
      #expect(status.st_mode & S_IFMT == S_IFSOCK)
      let folder = String(path[..<path.lastIndex(of: "/")!])
      #expect(lstat(folder, &status) == 0 && status.st_mode & 0o777 == 0o700)
    }
  }

  @Test func aFolderThatOthersMayEnterIsRefused() throws {
    let folder = try makeFolder()
    defer { rmdir(folder) }
    chmod(folder, 0o755)
    #expect(throws: ControlDirectory.Problem.self) { try ControlDirectory(path: folder).prepare() }
    let link = folder + ".link"
    #expect(symlink(folder, link) == 0)
    defer { unlink(link) }
    chmod(folder, 0o700)
    try ControlDirectory(path: folder).prepare()
    #expect(throws: ControlDirectory.Problem.self) { try ControlDirectory(path: link).prepare() }
  }

  @Test func aPathThatIsTooLongIsRefused() {
    let directory = ControlDirectory(path: "/" + String(repeating: "x", count: 80))
    #expect(throws: ControlDirectory.Problem.self) {
      try directory.socketPath(job: String(repeating: "j", count: 100))
    }
  }

  @Test func answersEachLineAndAHalfWrittenLastOne() throws {
    try withServer { path, _ in
      let status = #"{"command":"status"}"#
      let answers = try talk(path, Array("\(status)\n\n\(status)\r\n\(status)".utf8))
      #expect(answers.count == 3)
      #expect(try talk(path, Array(#"{"command":"stop"}"#.utf8)).count == 2)
      #expect(try talk(path, Array("{\"comm".utf8))[0].contains("not JSON"))
      #expect(try talk(path, []).isEmpty)
    }
  }

  @Test func aRequestWithoutAnEndIsCutOff() throws {
    try withServer { path, _ in
      let said = try talk(
        path, [UInt8](repeating: 97, count: ControlCaller.requestBytesMax * 3), closes: false)
      #expect(said.isEmpty || said[0].contains("longer than"))
      #expect(try talk(path, Array(#"{"command":"status"}"#.utf8)).count == 1)
    }
  }

  /// Callers who never read, never write or vanish at once; others are answered all the while.
  @Test func badCallersDisturbNobody() throws {
    try withServer { path, environment in
      let silent = try connect(path)
      let deaf = try connect(path)
      let flood = Array(String(repeating: "{\"command\":\"status\"}\n", count: 200_000).utf8)
      _ = deaf.send(flood)
      for _ in 0..<50 { _ = ControlSocket.connect(to: path)?.send([123]) }
      for _ in 0..<20 {
        #expect(try talk(path, Array(#"{"command":"status"}"#.utf8)).count == 1)
      }
      // Those who have gone are forgotten soon, and make room.
      while (try? ControlCall.find(nil, environment: environment).job) != "echo" { usleep(1000) }
      #expect(silent.send(Array("\n".utf8)) == .bytes(1))
    }
  }

  /// One who hangs up before the answer is there is not polled meanwhile: that he has would be told at once,
  /// for ever.
  @Test func whoHangsUpIsNotPolledUntilThereIsAnAnswer() throws {
    let folder = try makeFolder()
    defer { rmdir(folder) }
    let path = folder + "/socket"
    defer { unlink(path) }
    let listener = try ControlSocket.listen(at: path)
    do { #expect(try connect(path).send(Array("{}\n".utf8)) == .bytes(3)) }
    guard let socket = listener.accept() else { throw Gone() }
    let caller = ControlCaller(socket)
    #expect(caller.interest.fd >= 0 && caller.interest.events == Int16(POLLIN))
    caller.awaitsAnswer()
    #expect(caller.exchange().count == 1)
    #expect(caller.interest.fd == -1 && !caller.isOver)
    caller.say("{}", isLast: true)
    #expect(caller.interest.fd >= 0 && caller.interest.events == Int16(POLLOUT))
    _ = caller.exchange()
    #expect(caller.isOver)
  }

  @Test func tooManyCallersAreSentAway() throws {
    try withServer { path, _ in
      var callers: [CallerBox] = []
      for _ in 0..<ControlServer.callersMax {
        callers.append(CallerBox(try connect(path)))
      }
      let said = try talk(path, [])
      #expect(said.count == 1 && said[0].contains("others are connected"))
      callers.removeAll()
    }
  }

  /// Callers who ask nothing, forgotten by whoever made them, do not bar the next one.
  @Test func whoHasAskedNothingForLongMakesRoom() throws {
    try withServer(idleMilliseconds: 0) { path, _ in
      var callers: [CallerBox] = []
      for _ in 0..<ControlServer.callersMax {
        callers.append(CallerBox(try connect(path)))
      }
      let said = try talk(path, Array(#"{"command":"status"}"#.utf8))
      #expect(said.count == 1 && said[0].contains("\"ok\":true"))
      callers.removeAll()
    }
  }

  @Test func whoWaitsForAnAnswerIsNotForgotten() throws {
    let folder = try makeFolder()
    defer { rmdir(folder) }
    let path = folder + "/socket"
    defer { unlink(path) }
    let listener = try ControlSocket.listen(at: path)
    let end = CallerBox(try connect(path))
    #expect(end.socket.send(Array("{}\n".utf8)) == .bytes(3))
    guard let socket = listener.accept() else { throw Gone() }
    let caller = ControlCaller(socket)
    #expect(caller.isIdle(since: .max) && !caller.isIdle(since: 0))
    #expect(caller.exchange().count == 1)
    caller.awaitsAnswer()
    #expect(!caller.isIdle(since: .max))
    caller.say("{}", isLast: true)
    #expect(!caller.isIdle(since: .max))
    _ = caller.exchange()
    #expect(caller.isIdle(since: .max))
  }

  /// A folder in /tmp that another user has made hides no run that listens elsewhere.
  @Test func aFolderThatCannotBeUsedHidesNothing() throws {
    let foreign = try makeFolder()
    defer { rmdir(foreign) }
    chmod(foreign, 0o755)
    let unusable = ControlDirectory(path: foreign)
    try withServer { path, environment in
      let own = ControlDirectory.candidates(environment)[0]
      for folders in [[own, unusable], [unusable, own]] {
        let paths = try ControlCall.paths(in: folders)
        #expect(paths == [path])
      }
    }
    do throws(ControlCall.Problem) {
      _ = try ControlCall.paths(in: [ControlDirectory(path: foreign + "/none"), unusable])
      Issue.record("it is not told")
    } catch {
      #expect(error.description.contains("MIGR8SYNC_RUNTIME_DIR"), "\(error)")
    }
  }

  private final class CallerBox {
    let socket: ControlSocket
    init(_ socket: consuming ControlSocket) { self.socket = socket }
  }

  @Test func whatADeadProcessLeftIsReplacedAndNotFound() throws {
    let runtime = try makeFolder()
    defer { rmdir(runtime) }
    let environment = { (name: String) in name == "XDG_RUNTIME_DIR" ? runtime : nil }
    let directory = ControlDirectory.candidates(environment)[0]
    try directory.prepare()
    defer { rmdir(directory.path) }
    let path = try directory.socketPath(job: "echo")
    do {
      let dead = try ControlSocket.listen(at: path)
      #expect(dead.descriptor >= 0 && !ControlSocket.isStale(path))
      #expect(throws: ControlDirectory.Problem.self) { _ = try ControlSocket.listen(at: path) }
    }
    // A server that another test is just starting has a copy of every descriptor until it is executed.
    let deadline = Clock.monotonicMilliseconds() + 60_000
    while !ControlSocket.isStale(path), Clock.monotonicMilliseconds() < deadline { usleep(1_000) }
    #expect(ControlSocket.isStale(path))
    let server = try ControlServer(at: path, handler: Echo())
    #expect(try ControlCall.find("echo", environment: environment).job == "echo")
    #expect(throws: ControlCall.Problem.self) {
      _ = try ControlCall.find("other", environment: environment)
    }
    server.stop()
    #expect(access(path, F_OK) != 0)
  }
}
