// A real redis-server for one test, on a free port of the loopback interface.

import Foundation

@testable import ReplicaLink

/// A server that lives as long as the value.
final class RealServer {
  static let program: String? = {
    let folders = ProcessInfo.processInfo.environment["PATH"]?.split(separator: ":") ?? []
    return folders.map { "\($0)/redis-server" }.first {
      FileManager.default.isExecutableFile(atPath: $0)
    }
  }()
  static let isPresent = program != nil

  /// A program that scripts/servers provides, such as `valkey-8.1/valkey-server`; nil where it has not.
  static func provided(_ name: String) -> String? {
    var root = URL(fileURLWithPath: #filePath)
    for _ in 0..<4 { root.deleteLastPathComponent() }
    let path = root.appending(path: ".servers/\(name)").path
    return FileManager.default.isExecutableFile(atPath: path) ? path : nil
  }

  let port: UInt16
  private let folder: TemporaryFolder
  private let process: pid_t

  /// Starts a server and waits until it answers. It keeps no data on disk.
  init(_ options: [String], program: String? = RealServer.program) throws {
    let folder = try TemporaryFolder()
    self.folder = folder
    // Between finding a free port and using it somebody else may take it.
    for _ in 0..<10 {
      let port = try FakeMaster().port
      let process = try Self.spawn(
        [
          program ?? "redis-server", "--port", "\(port)", "--bind", "127.0.0.1",
          "--save", "", "--dir", folder.path, "--logfile", folder.path + "/log",
          "--repl-diskless-sync-delay", "0",
        ] + options)
      if Self.answers(process, port) {
        self.port = port
        self.process = process
        return
      }
    }
    throw PlayError(description: "redis-server does not start")
  }

  /// Waits until the server answers; false when it has ended instead.
  private static func answers(_ process: pid_t, _ port: UInt16) -> Bool {
    let deadline = Clock.monotonicMilliseconds() + FakeMaster.patienceMilliseconds
    while waitpid(process, nil, WNOHANG) == 0 {
      // A connection alone proves nothing: to a port nobody listens on, it may be to itself.
      if let url = try? RedisURL("redis://127.0.0.1:\(port)"),
        var connection = try? RedisConnection.open(url, timeouts: Timeouts()),
        let reply = try? connection.command("PING"),
        reply.text == "PONG" || reply.errorLine != nil
      {
        return true
      }
      guard Clock.monotonicMilliseconds() < deadline else {
        kill(process, SIGKILL)
        waitpid(process, nil, 0)
        return false
      }
      usleep(2_000)
    }
    return false
  }

  deinit {
    kill(process, SIGKILL)
    waitpid(process, nil, 0)
  }

  private static func spawn(_ words: [String]) throws -> pid_t {
    var arguments = words.map { strdup($0) }
    defer { arguments.forEach { free($0) } }
    arguments.append(nil)
    // This thread may have signals blocked that the server needs: it ends its children with SIGUSR1.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    var process = pid_t()
    guard posix_spawn(&process, words[0], nil, &attributes, &arguments, environ) == 0 else {
      throw PlayError(description: "cannot start \(words[0])")
    }
    return process
  }

  func url(_ login: String = "") throws -> RedisURL {
    try RedisURL("redis://\(login)127.0.0.1:\(port)")
  }

  /// A connection that the server has taken, which it may not do at once while it counts another.
  func connect() throws -> RedisConnection {
    while true {
      var connection = try RedisConnection.open(url(), timeouts: Timeouts())
      if let reply = try? connection.command("PING"),
        reply.errorLine?.contains("max number of clients") != true
      {
        return connection
      }
    }
  }
}

/// A field of `INFO`.
func information(_ field: String, _ connection: inout RedisConnection) throws -> String? {
  let text = try connection.command("INFO", "replication").text ?? ""
  let line = text.split(separator: "\r\n").first { $0.hasPrefix("\(field):") }
  return line.map { String($0.dropFirst(field.count + 1)) }
}

/// A number of `INFO stats`.
func statistic(_ field: String, _ connection: inout RedisConnection) throws -> Int? {
  let text = try connection.command("INFO", "stats").text ?? ""
  let line = text.split(separator: "\r\n").first { $0.hasPrefix("\(field):") }
  return line.flatMap { Int($0.dropFirst(field.count + 1)) }
}
