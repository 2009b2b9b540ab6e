// Where a server's password comes from when its URL does not hold it.

import ReplicaLink

extension RedisURL {
  /// Adds a password that was given elsewhere.
  fileprivate mutating func setPassword(_ password: String) {
    credentials = Credentials(user: credentials?.user, password: password)
  }

  /// Whether a password is known.
  var holdsPassword: Bool {
    !(credentials?.password.isEmpty ?? true)
  }

  /// Fills in the password: from the file where one is named, else from the URL, else from the
  /// environment. A password in the URL and a file is refused: one of them must be wrong.
  mutating func mergePassword(
    file: CommandOption, path: String?, environment: String?
  ) throws(UsageError) {
    if let path {
      if holdsPassword {
        throw UsageError("\(file.longName) and a password in the URL; leave one of them out")
      }
      setPassword(try PasswordFile.read(path, for: file))
    } else if !holdsPassword, let environment, !environment.isEmpty {
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
    let bytes: [UInt8]
    do {
      bytes = try SmallFile.read(path, bytesMax: bytesMax).bytes
    } catch {
      throw UsageError("the file of \(option.longName) \(error.description)")
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
}
