// SmallFile: a file that an option names, read whole.

import Glibc

/// The bytes of a file, and who may read it.
struct SmallFile: Sendable {
  /// Why a file was not read, to stand behind the file's name.
  struct Problem: Error, Sendable {
    let description: String
  }

  let bytes: [UInt8]
  /// Whether every user of the machine may read it.
  let isWorldReadable: Bool

  init(bytes: [UInt8], isWorldReadable: Bool) {
    self.bytes = bytes
    self.isWorldReadable = isWorldReadable
  }

  /// Reads the file at `path`.
  ///
  /// - Throws: when it cannot be read, or is longer than `bytesMax`.
  static func read(_ path: String, bytesMax: Int) throws(Problem) -> SmallFile {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw unreadable(errno) }
    defer { close(descriptor) }
    return try read(descriptor, bytesMax: bytesMax)
  }

  /// Reads what is behind a descriptor, up to its end.
  static func read(_ descriptor: Int32, bytesMax: Int) throws(Problem) -> SmallFile {
    var status = stat()
    let isFile = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4_096)
    while bytes.count <= bytesMax {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      if count < 0 { throw unreadable(errno) }
      if count == 0 { break }
      bytes += buffer[..<count]
    }
    guard bytes.count <= bytesMax else {
      throw Problem(description: "is longer than \(bytesMax) bytes")
    }
    return SmallFile(bytes: bytes, isWorldReadable: isFile && status.st_mode & S_IROTH != 0)
  }

  private static func unreadable(_ code: Int32) -> Problem {
    Problem(description: "cannot be read: \(String(cString: strerror(code)))")
  }
}
