// InputFile: the file that extract, diff and analyze read, or the standard input.
//
// Beside plain RDB files it takes an AOF that begins with an RDB, and the folder of a multi-part AOF
// (appendonlydir): then the base file that its manifest names.

import Glibc

/// A file to read from its beginning to its end. For one thread, but for `size`.
///
/// `@unchecked Sendable`: immutable but for what the reading thread alone changes.
final class InputFile: SnapshotBytes, @unchecked Sendable {
  /// What the operator calls it.
  let name: String
  /// Its size in bytes; nil for a pipe.
  let size: UInt64?
  private let descriptor: Int32

  /// The longest manifest that is read, in bytes.
  private static let manifestBytesMax = 1 << 20

  /// How long a pipe is waited for before the caller may look whether it is to stop, in milliseconds.
  private static let waitMilliseconds: Int32 = 200

  /// Opens it.
  ///
  /// - Parameter path: a file, a folder with a manifest in it, or `-`.
  init(_ path: String) throws(ReplayError) {
    if path == "-" {
      name = "the standard input"
      descriptor = STDIN_FILENO
      if isatty(STDIN_FILENO) == 1 {
        throw ReplayError("the standard input is a terminal (pipe an RDB file into it)")
      }
    } else {
      let path = try Self.base(of: path)
      name = path
      // A named pipe that nobody writes to yet is waited for where the operator can stop it.
      descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
      if descriptor < 0 { throw Self.failed("opening", path) }
    }
    var status = stat()
    fstat(descriptor, &status)
    size = status.st_mode & S_IFMT == S_IFREG ? UInt64(max(0, status.st_size)) : nil
    if size != nil { posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL) }
  }

  deinit {
    if descriptor != STDIN_FILENO { close(descriptor) }
  }

  func snapshotBytes(into room: UnsafeMutableRawBufferPointer) throws(ReplayError) -> Int? {
    if size == nil, !isReadable() { return 0 }
    let count = read(descriptor, room.baseAddress, room.count)
    if count > 0 { return count }
    if count == 0 { return nil }
    if errno == EINTR || errno == EAGAIN { return 0 }
    throw Self.failed("reading", name)
  }

  /// Waits a moment for bytes, or for the end.
  private func isReadable() -> Bool {
    var state = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&state, 1, Self.waitMilliseconds) > 0
  }

  private static func failed(_ doing: String, _ path: String) -> ReplayError {
    ReplayError("\(doing) \(path): \(String(cString: strerror(errno)))")
  }

  // MARK: Folders of an AOF

  /// The file to open: the base file, where the path is a folder.
  private static func base(of path: String) throws(ReplayError) -> String {
    var status = stat()
    guard stat(path, &status) == 0 else { throw failed("opening", path) }
    guard status.st_mode & S_IFMT == S_IFDIR else { return path }
    let manifest = path + "/" + (try manifest(in: path))
    guard let base = base(inManifest: try text(of: manifest)) else {
      throw ReplayError("\(manifest) names no base file (run BGREWRITEAOF at the server first)")
    }
    guard base.hasSuffix(".rdb") else {
      throw ReplayError(
        "the base file of \(path) is commands, not an RDB (set aof-use-rdb-preamble yes at the server,"
          + " then run BGREWRITEAOF)")
    }
    return path + "/" + base
  }

  /// The base file's name in the text of a manifest: `file NAME seq N type b`.
  static func base(inManifest text: String) -> String? {
    for line in text.split(whereSeparator: \.isNewline) {
      let words = line.split(separator: " ").map(String.init)
      var fields: [String: String] = [:]
      for index in stride(from: 0, to: words.count - 1, by: 2) {
        fields[words[index]] = words[index + 1]
      }
      guard fields["type"] == "b", var name = fields["file"] else { continue }
      if name.hasPrefix("\""), name.hasSuffix("\""), name.count > 1 {
        name = String(name.dropFirst().dropLast())
      }
      // A name with a slash would lead out of the folder.
      return name.contains("/") ? nil : name
    }
    return nil
  }

  private static func manifest(in folder: String) throws(ReplayError) -> String {
    guard let entries = opendir(folder) else { throw failed("opening", folder) }
    defer { closedir(entries) }
    var names: [String] = []
    while let entry = readdir(entries) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      // The server writes its next one under another name, and leaves it behind when it dies.
      if name.hasSuffix(".manifest"), !name.hasPrefix("temp-") { names.append(name) }
    }
    guard let name = names.first else {
      throw ReplayError("\(folder) is a folder without the manifest of an AOF in it (name a file)")
    }
    guard names.count == 1 else {
      let list = names.sorted().map { Printable.key(Array($0.utf8)) }.joined(separator: ", ")
      throw ReplayError(
        "\(folder) is a folder with several manifests in it: \(list) (name the .rdb file of one)")
    }
    return name
  }

  private static func text(of path: String) throws(ReplayError) -> String {
    let file = try InputFile(path)
    var bytes = [UInt8](repeating: 0, count: manifestBytesMax)
    var count = 0
    while count < bytes.count {
      var failure: ReplayError?
      let more = bytes.withUnsafeMutableBytes { room -> Int? in
        do throws(ReplayError) {
          return try file.snapshotBytes(into: .init(rebasing: room[count...]))
        } catch {
          failure = error
          return nil
        }
      }
      if let failure { throw failure }
      guard let more else { break }
      count += more
    }
    return String(decoding: bytes[..<count], as: UTF8.self)
  }
}
