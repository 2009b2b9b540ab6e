// The operator's own commands: run by the shell in a process group of their own, for a bounded time,
// with the facts in environment variables and none of this program's secrets.

import Glibc
import ReplicaLink

/// When a command of the operator is run.
enum HookEvent: String, Sendable, CaseIterable {
  case ready
  case fence
  case cutover
  case lift
  case failed
  case done

  /// The option that gives it.
  var option: String { "on-" + rawValue }
}

/// Runs one command.
struct Hook: Sendable {
  /// Of what it says, so much of the end is shown.
  private static let outputBytesMax = 400

  let command: String
  /// `NAME=value` for the command, beside the environment of this process.
  let facts: [(name: String, value: String)]

  /// Runs the command to its end, or ends it with its whole process group after the time.
  ///
  /// - Returns: what was wrong; nil when it exited with 0.
  func run(milliseconds: Int64) -> String? {
    let output = Self.temporaryFile()
    defer { if output >= 0 { close(output) } }
    guard let process = spawn(output) else {
      return "it cannot be started: \(String(cString: strerror(errno)))"
    }
    let ended = Promise<Int32>()
    let thread = NamedThread("hook") {
      var status: Int32 = 0
      while waitpid(process, &status, 0) < 0, errno == EINTR {}
      ended.fulfil(status)
    }
    let status = ended.wait(milliseconds: milliseconds)
    // Nothing of it goes on behind its end, either.
    kill(-process, SIGKILL)
    thread.join()
    let words = Self.tail(of: output)
    guard let status else {
      return "it did not end within \(milliseconds) ms and was ended\(words)"
    }
    if status == 0 { return nil }
    let signal = status & 0x7F
    let how = signal == 0 ? "exit code \(status >> 8 & 0xFF)" : "signal \(signal)"
    return "it ended with \(how)\(words)"
  }

  private func spawn(_ output: Int32) -> pid_t? {
    var actions = posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    defer {
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
    }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    for descriptor: Int32 in [1, 2] {
      if output >= 0 {
        posix_spawn_file_actions_adddup2(&actions, output, descriptor)
      } else {
        posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_WRONLY, 0)
      }
    }
    // The signals that this process takes on a thread of its own are the command's again.
    var none = sigset_t()
    sigemptyset(&none)
    var pipes = sigset_t()
    sigemptyset(&pipes)
    sigaddset(&pipes, SIGPIPE)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &pipes)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
      &attributes,
      Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    var process: pid_t = 0
    let status = Self.withPointers(["/bin/sh", "-c", command]) { arguments in
      Self.withPointers(environment()) { variables in
        posix_spawn(&process, "/bin/sh", &actions, &attributes, arguments, variables)
      }
    }
    errno = status
    return status == 0 ? process : nil
  }

  /// This process's environment without what is this program's, and the facts.
  private func environment() -> [String] {
    var variables: [String] = []
    var next = environ
    while let variable = next.pointee {
      let text = String(cString: variable)
      if !text.hasPrefix("MIGR8SYNC_") { variables.append(text) }
      next += 1
    }
    return variables + facts.map { "MIGR8SYNC_\($0.name)=\($0.value)" }
  }

  private static func withPointers<R>(
    _ words: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> R
  ) -> R {
    let pointers = words.map { strdup($0) }
    defer { for pointer in pointers { free(pointer) } }
    return body(pointers + [nil])
  }

  /// A file without a name, which takes what the command says, however much; -1 where there is none.
  private static func temporaryFile() -> Int32 {
    var template = Array("/tmp/migr8sync-hook-XXXXXX".utf8CString)
    let file = mkstemp(&template)
    if file >= 0 {
      unlink(template)
      _ = fcntl(file, F_SETFD, FD_CLOEXEC)
    }
    return file
  }

  /// The last of what the command has said.
  private static func tail(of file: Int32) -> String {
    guard file >= 0 else { return "" }
    let length = lseek(file, 0, Int32(SEEK_END))
    let start = max(0, length - outputBytesMax)
    var bytes = [UInt8](repeating: 0, count: outputBytesMax)
    let count = pread(file, &bytes, bytes.count, start)
    guard count > 0 else { return "" }
    let text = String(decoding: bytes[..<count], as: UTF8.self)
    let line = text.split(whereSeparator: \.isNewline).joined(separator: "; ")
    return line.isEmpty ? "" : ": \(LogLine.harmless(line))"
  }
}
