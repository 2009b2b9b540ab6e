// Where the sockets of running jobs are, so that they are found without a path:
//
//   $XDG_RUNTIME_DIR/migr8sync/JOB.PID.sock      or, without one,
//   /tmp/migr8sync-UID/JOB.PID.sock
//
// Both are looked into: a run that a service has started has no such variable. MIGR8SYNC_RUNTIME_DIR, a folder in
// place of both, keeps runs apart from all others.
//
// The folder is its user's alone (0700): who can write into it can be taken for a job.

import Glibc

/// The folder of the sockets.
struct ControlDirectory: Sendable {
  /// Why it cannot be used, for the operator.
  struct Problem: Error, Sendable, CustomStringConvertible {
    let description: String
  }

  /// A path that `sun_path` takes, with its end, is no longer than this.
  static let pathBytesMax = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1
  /// A name of a job longer than this is cut in the name of its socket; the job itself says it whole.
  private static let jobBytesMax = 40

  let path: String

  /// The folders to look into, the one for new sockets first.
  ///
  /// - Parameter environment: looks a variable up.
  static func candidates(_ environment: (String) -> String?) -> [ControlDirectory] {
    if let only = environment("MIGR8SYNC_RUNTIME_DIR"), only.hasPrefix("/") {
      return [ControlDirectory(path: only)]
    }
    var paths: [String] = []
    // That of another user is left in the environment by some ways of becoming one.
    if let runtime = environment("XDG_RUNTIME_DIR"), runtime.hasPrefix("/"), isOwn(runtime) {
      paths.append(runtime + "/migr8sync")
    }
    paths.append("/tmp/migr8sync-\(geteuid())")
    return paths.map { ControlDirectory(path: $0) }
  }

  /// Makes the folder unless it is there, and makes sure that it is this user's alone.
  func prepare() throws(Problem) {
    if mkdir(path, 0o700) != 0, errno != EEXIST {
      throw Problem(description: "\(path) cannot be made: \(String(cString: strerror(errno)))")
    }
    try confirm()
  }

  /// Makes sure that the folder is this user's alone.
  func confirm() throws(Problem) {
    var status = stat()
    guard lstat(path, &status) == 0 else {
      throw Problem(description: "\(path): \(String(cString: strerror(errno)))")
    }
    guard status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid(),
      status.st_mode & 0o077 == 0
    else {
      throw Problem(
        description: "\(path) is not a folder of this user alone (remove it, chmod 700 it, or name"
          + " another, to the run and to what talks to it, with MIGR8SYNC_RUNTIME_DIR)")
    }
  }

  /// The path of the socket of a job that this process works on.
  func socketPath(job: String, process: Int32 = getpid()) throws(Problem) -> String {
    let socket = "\(path)/\(job.prefix(Self.jobBytesMax)).\(process).sock"
    guard socket.utf8.count <= Self.pathBytesMax else {
      throw Problem(description: "\(socket) is longer than a socket's path may be")
    }
    return socket
  }

  /// The sockets that are there, in the order of their names; nothing where there is no such folder.
  func sockets() throws(Problem) -> [String] {
    if access(path, F_OK) != 0, errno == ENOENT { return [] }
    try confirm()
    guard let folder = opendir(path) else {
      throw Problem(description: "\(path): \(String(cString: strerror(errno)))")
    }
    defer { closedir(folder) }
    var found: [String] = []
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name.hasSuffix(".sock") { found.append("\(path)/\(name)") }
    }
    return found.sorted()
  }

  private static func isOwn(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
      && status.st_uid == geteuid()
  }
}
