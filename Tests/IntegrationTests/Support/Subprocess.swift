// A child process of a test: its output is drained all the time, it can be signalled, and it is
// killed and reaped when the test lets go of it. TestServer and Tool stand on it. Glibc only.

import Glibc
import ReplicaLink

/// A failure of the test machinery itself, told as a sentence.
struct TestFailure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) {
    self.description = description
  }
}

/// A running program. Use it from one thread at a time.
final class Subprocess: @unchecked Sendable {
  // Sendable: `output` guards itself; `exitStatus` and `drains` are touched by the owning test only.

  let processIdentifier: pid_t
  private(set) var exitStatus: Int32?

  /// What came out so far; the two pipes are drained by one thread each. The threads hold only this, so
  /// that the process ends with the last reference to it.
  private let output = Guarded(Output())
  private var drains: [pthread_t] = []

  private struct Output {
    var standardOutput: [UInt8] = []
    var standardError: [UInt8] = []
  }

  /// Starts `program`. The child dies with the thread that starts it, so an aborted test run leaves
  /// no server behind; signals have their default meaning in it.
  init(
    _ program: String, _ arguments: [String], environment: [String: String] = [:],
    standardInput: String = "/dev/null"
  ) throws {
    let pipes = try (Pipe(), Pipe())
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, standardInput, O_RDONLY | O_NOCTTY, 0)
    posix_spawn_file_actions_adddup2(&actions, pipes.0.writeEnd, 1)
    posix_spawn_file_actions_adddup2(&actions, pipes.1.writeEnd, 2)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var allSignals = sigset_t()
    sigfillset(&allSignals)
    posix_spawnattr_setsigdefault(&attributes, &allSignals)
    var noSignals = sigset_t()
    sigemptyset(&noSignals)
    posix_spawnattr_setsigmask(&attributes, &noSignals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

    let words = ["setpriv", "--pdeathsig", "KILL", program] + arguments
    var variables = Subprocess.inheritedEnvironment()
    variables.merge(environment) { _, new in new }
    let argv = words.map { strdup($0) } + [nil]
    let envp = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for pointer in argv + envp { free(pointer) } }
    var pid: pid_t = 0
    let status = posix_spawnp(&pid, "setpriv", &actions, &attributes, argv, envp)
    close(pipes.0.writeEnd)
    close(pipes.1.writeEnd)
    processIdentifier = pid
    guard status == 0 else {
      close(pipes.0.readEnd)
      close(pipes.1.readEnd)
      throw TestFailure("cannot start \(program): \(String(cString: strerror(status)))")
    }
    drains = [
      startThread { [output] in
        Self.drain(pipes.0.readEnd) { bytes in output.withLock { $0.standardOutput += bytes } }
      },
      startThread { [output] in
        Self.drain(pipes.1.readEnd) { bytes in output.withLock { $0.standardError += bytes } }
      },
    ]
  }

  deinit {
    kill()
  }

  var standardOutput: String {
    output.withLock { String(decoding: $0.standardOutput, as: UTF8.self) }
  }
  var standardError: String {
    output.withLock { String(decoding: $0.standardError, as: UTF8.self) }
  }

  /// True while the process has not exited. Reaps it when it has.
  var isRunning: Bool {
    if exitStatus != nil { return false }
    var status: Int32 = 0
    let ended = waitpid(processIdentifier, &status, WNOHANG)
    if ended == 0 { return true }
    // A number that is not a child of ours any more may be somebody else's by now: never signal it.
    precondition(ended == processIdentifier, "a child was reaped behind its owner's back")
    exitStatus = (status & 0x7f) == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
    return false
  }

  /// Whether it is stopped by a signal.
  func isStopped() throws -> Bool {
    guard let file = fopen("/proc/\(processIdentifier)/stat", "r") else {
      throw TestFailure("the process is gone")
    }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 512)
    fgets(&line, Int32(line.count), file)
    let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    return text.split(separator: ")").last?.hasPrefix(" T") ?? false
  }

  /// The files it has open, by their paths.
  func openFiles() -> [String] { descriptors().map(\.target) }

  /// Takes the bytes of its open files whose path holds `name`; says how many files.
  func truncateFiles(named name: String) -> Int {
    descriptors().filter { $0.target.contains(name) && truncate($0.path, 0) == 0 }.count
  }

  /// Its descriptors: their places below /proc, and what they stand for.
  private func descriptors() -> [(path: String, target: String)] {
    let folder = "/proc/\(processIdentifier)/fd"
    guard let entries = opendir(folder) else { return [] }
    defer { closedir(entries) }
    var found: [(path: String, target: String)] = []
    while let entry = readdir(entries) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      var path = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
      guard readlink("\(folder)/\(name)", &path, path.count - 1) > 0 else { continue }
      let target = path.prefix { $0 != 0 }.map(UInt8.init(bitPattern:))
      found.append(("\(folder)/\(name)", String(decoding: target, as: UTF8.self)))
    }
    return found
  }

  /// The most memory it has had at once, in bytes. Only while it runs.
  func peakMemoryBytes() throws -> Int {
    let file = fopen("/proc/\(processIdentifier)/status", "r")
    guard let file else { throw TestFailure("the process has no status any more") }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, Int32(line.count), file) != nil {
      let text = String(
        decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      let words = text.split(whereSeparator: \.isWhitespace)
      if words.first == "VmHWM:", let kilobytes = Int(words[1]) { return kilobytes * 1024 }
    }
    throw TestFailure("the process has no VmHWM")
  }

  func send(signal: Int32) {
    if isRunning { Glibc.kill(processIdentifier, signal) }
  }

  /// Waits for the exit and for the end of its output; kills it and throws at the deadline.
  @discardableResult
  func wait(seconds: Double) throws -> Int32 {
    do {
      try awaitCondition("the process to exit", seconds: seconds) { !isRunning }
    } catch {
      kill()
      throw TestFailure("\(error)\nstdout:\n\(standardOutput)\nstderr:\n\(standardError)")
    }
    joinDrains()
    return exitStatus ?? -1
  }

  /// Ends it now, if it still runs, and reaps it.
  func kill() {
    while isRunning {
      Glibc.kill(processIdentifier, SIGKILL)
      usleep(500)
    }
    joinDrains()
  }

  private func joinDrains() {
    for thread in drains { pthread_join(thread, nil) }
    drains = []
  }

  private static func drain(_ descriptor: Int32, into append: (ArraySlice<UInt8>) -> Void) {
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(descriptor, &chunk, chunk.count)
      if count < 0 && errno == EINTR { continue }
      if count <= 0 { break }
      append(chunk[..<count])
    }
    close(descriptor)
  }

  /// Where the control sockets of all runs are whose test does not say: not where an operator's are.
  private static let runtimeFolder = try? makeTemporaryFolder()

  private static func inheritedEnvironment() -> [String: String] {
    var variables: [String: String] = [:]
    var pointer = environ
    while let entry = pointer.pointee {
      let text = String(cString: entry)
      if let equals = text.firstIndex(of: "=") {
        variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
      }
      pointer += 1
    }
    variables["MIGR8SYNC_RUNTIME_DIR"] = runtimeFolder
    return variables
  }
}

/// A one-way channel that other children do not inherit: a socket pair, because a pipe could not be
/// marked so without a moment in which another test's child takes a copy.
private struct Pipe {
  let readEnd: Int32
  let writeEnd: Int32

  init() throws {
    var ends: [Int32] = [0, 0]
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, type, 0, &ends) == 0 else {
      throw TestFailure("socketpair: \(String(cString: strerror(errno)))")
    }
    (readEnd, writeEnd) = (ends[0], ends[1])
  }
}

/// Runs `body` on a thread of its own.
func startThread(_ body: @escaping @Sendable () -> Void) -> pthread_t {
  final class Box {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
  var thread = pthread_t()
  let box = Unmanaged.passRetained(Box(body)).toOpaque()
  let status = pthread_create(
    &thread, nil,
    { argument in
      if let argument { Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body() }
      return nil
    }, box)
  precondition(status == 0, "a test machine that cannot start a thread cannot test")
  return thread
}
