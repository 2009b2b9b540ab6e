// A real server of a named version on a free loopback port, stopped when the test lets go of it.
// The programs come from scripts/servers.

import Glibc

/// The servers that scripts/servers provides, oldest first.
enum ServerKind: String, CaseIterable, CustomStringConvertible, Comparable {
  case redis62 = "redis-6.2/redis-server"
  case redis70 = "redis-7.0/redis-server"
  case valkey81 = "valkey-8.1/valkey-server"
  case redis82 = "redis-8.2/redis-server"

  var description: String { String(rawValue.prefix { $0 != "/" }) }

  var program: String { packageRoot + "/.servers/" + rawValue }

  /// The newest RDB version it reads; a destination is "the same or newer" by this number.
  var rdbVersion: Int {
    switch self {
    case .redis62: 9
    case .redis70: 10
    case .valkey81: 11
    case .redis82: 12
    }
  }

  static func < (left: Self, right: Self) -> Bool { left.rdbVersion < right.rdbVersion }

  /// Every pair of a source and a destination of the same or a newer version.
  static let pairs: [(ServerKind, ServerKind)] = allCases.flatMap { source in
    allCases.filter { $0 >= source }.map { (source, $0) }
  }

  var knowsPexpiretime: Bool { self != .redis62 }
  var knowsFieldExpiry: Bool { self == .redis82 }
}

/// The package's folder, from where this file is.
let packageRoot = String(
  #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4).joined(
    separator: "/"))

/// A running server. Use it from one thread at a time.
final class TestServer {
  let kind: ServerKind
  let port: Int
  let folder: String
  private let options: [String]
  private var process: Subprocess

  /// Starts it and waits until it answers, unless `untilReady` is false (a server that loads).
  init(_ kind: ServerKind = .redis70, _ options: [String] = [], untilReady: Bool = true) throws {
    guard access(kind.program, X_OK) == 0 else {
      throw TestFailure("\(kind) is not there: run scripts/servers")
    }
    let folder = try makeTemporaryFolder()
    self.kind = kind
    self.folder = folder
    self.options = options

    for _ in 0..<5 {
      let port = try freePort()
      let process = try Self.launch(kind, port, folder, options)
      if try Self.answers(process, port: port, untilReady: untilReady) {
        self.port = port
        self.process = process
        return
      }
      // The port was taken in the meantime, or an option is wrong: its last words tell.
      try process.wait(seconds: 20)
      if !process.standardOutput.contains("Address already in use") {
        throw TestFailure("\(kind) does not start:\n\(process.standardOutput)")
      }
    }
    throw TestFailure("\(kind) found no free port")
  }

  deinit {
    process.kill()
    removeFolder(folder)
  }

  private static func launch(
    _ kind: ServerKind, _ port: Int, _ folder: String, _ options: [String]
  ) throws -> Subprocess {
    var arguments = [
      "--port", "\(port)", "--bind", "127.0.0.1", "--save", "", "--dir", folder,
      "--repl-diskless-sync-delay", "0",
    ]
    if kind != .redis62 { arguments += ["--enable-debug-command", "yes"] }
    return try Subprocess(kind.program, arguments + options)
  }

  /// Starts a server that has crashed again, at the same port and over the same files.
  func restart() throws {
    process.kill()
    process = try Self.launch(kind, port, folder, options)
    guard try Self.answers(process, port: port, untilReady: true) else {
      throw TestFailure("\(kind) does not start again:\n\(process.standardOutput)")
    }
  }

  var url: String { "redis://127.0.0.1:\(port)" }

  func client() throws -> TestClient { try TestClient(port: port) }

  /// Ends the process at once, as a crash would.
  func crash() { process.kill() }

  /// Asks the process to shut down, as a service manager does.
  func terminate() { process.send(signal: SIGTERM) }

  /// Whether the process has not ended.
  var isRunning: Bool { process.isRunning }

  /// Freezes and thaws the process.
  func freeze() { process.send(signal: SIGSTOP) }
  func thaw() { process.send(signal: SIGCONT) }

  private static func answers(
    _ process: Subprocess, port: Int, untilReady: Bool
  ) throws -> Bool {
    var answered = false
    try awaitCondition("a server to answer") {
      guard process.isRunning else { return true }
      guard let client = try? TestClient(port: port), let reply = try? client.reply(to: "PING")
      else { return false }
      if untilReady, case .error(let message) = reply, message.hasPrefix("LOADING") { return false }
      // Another test's server may have got the port first: then ours is about to end.
      // (One with a password does not say who it is.)
      if let identifier = try? client.info("server")["process_id"],
        identifier != "\(process.processIdentifier)"
      {
        return false
      }
      answered = true
      return true
    }
    return answered
  }
}

/// A TCP port that was free a moment ago, and that no other test of this process gets.
func freePort() throws -> Int {
  let listener = try Listener()
  return listener.port
}

/// A new folder for one test's files.
func makeTemporaryFolder() throws -> String {
  let temporary = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
  var template = Array("\(temporary)/migr8sync-test-XXXXXX".utf8CString)
  guard mkdtemp(&template) != nil else { throw TestFailure("cannot make a temporary folder") }
  return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// Removes a folder with plain files in it.
func removeFolder(_ path: String) {
  if let entries = opendir(path) {
    while let entry = readdir(entries) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { unlink(path + "/" + name) }
    }
    closedir(entries)
  }
  rmdir(path)
}
