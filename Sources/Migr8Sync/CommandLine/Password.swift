// Where a server's password comes from when its URL does not hold it.

import Glibc
import ReplicaLink

extension RedisURL {
  /// Adds a password that was given elsewhere.
  fileprivate mutating func setPassword(_ password: String) {
    credentials = Credentials(user: credentials?.user, password: password)
  }

  fileprivate var hasPassword: Bool {
    !(credentials?.password.isEmpty ?? true)
  }

  /// Fills in the password: from the file where one is named, else from the URL, else from the
  /// environment. A password in the URL and a file is refused: one of them must be wrong.
  mutating func mergePassword(
    file: CommandOption, path: String?, environment: String?
  ) throws(UsageError) {
    if let path {
      if hasPassword {
        throw UsageError("\(file.longName) and a password in the URL; leave one of them out")
      }
      setPassword(try PasswordFile.read(path, for: file))
    } else if !hasPassword, let environment, !environment.isEmpty {
      setPassword(environment)
    }
  }

  /// Fills in the sentinels' own password from the environment where the URL names sentinels and no
  /// password of theirs.
  mutating func mergeSentinelPassword(_ environment: String?) {
    guard case .sentinel = endpoint, let environment, !environment.isEmpty,
      sentinelCredentials?.password.isEmpty ?? true
    else { return }
    sentinelCredentials = Credentials(user: sentinelCredentials?.user, password: environment)
  }
}

/// Reads a password from a file.
private enum PasswordFile {
  /// The largest file that is taken for one.
  static let bytesMax = 4096

  /// The first line of the file at `path`.
  static func read(_ path: String, for option: CommandOption) throws(UsageError) -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw unreadable(option, errno) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: bytesMax + 1)
    while bytes.count <= bytesMax {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      if count < 0 { throw unreadable(option, errno) }
      if count == 0 { break }
      bytes += buffer[..<count]
    }
    guard bytes.count <= bytesMax else {
      throw UsageError("the file of \(option.longName) is longer than \(bytesMax) bytes")
    }
    var line = bytes.prefix { $0 != UInt8(ascii: "\n") }
    if line.last == UInt8(ascii: "\r") { line.removeLast() }
    guard !line.isEmpty, let password = String(validating: line, as: UTF8.self) else {
      throw UsageError(
        "the file of \(option.longName) does not hold a password: its first line is empty or not "
          + "UTF-8")
    }
    return password
  }

  private static func unreadable(_ option: CommandOption, _ code: Int32) -> UsageError {
    UsageError("the file of \(option.longName) cannot be read: \(String(cString: strerror(code)))")
  }
}
