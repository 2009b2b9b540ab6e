// One file of the spool's disk part: private, unlinked from birth, written once and read once.

import Glibc

/// An anonymous temporary file of bounded size.
///
/// Guarded by `Spool` as a chunk is.
final class SpoolSegment {
  static let byteCount = 1 << 26
  /// Disk space that a spool leaves to others, in bytes.
  static let freeBytesMin: UInt64 = 256 << 20

  private let descriptor: Int32
  var committed = 0
  var consumed = 0

  /// Makes a segment in `directory`, or says why it cannot.
  init(directory: String) throws(LinkError) {
    let action = "spooling to \(directory)"
    var space = statvfs()
    if statvfs(directory, &space) == 0 {
      let free = UInt64(space.f_bavail) * UInt64(space.f_frsize)
      guard free >= UInt64(Self.byteCount) + Self.freeBytesMin else {
        throw LinkError(
          .localResource, action, "only \(free >> 20) MB are free there",
          advice: "free some, or choose another --spool-dir")
      }
    }
    var path = Array("\(directory)/migr8sync-spool-XXXXXX".utf8CString)
    let file = mkstemp(&path)
    guard file >= 0 else {
      throw LinkError(
        .localResource, action, String(cString: strerror(errno)).lowercased(),
        advice: "choose a directory that can be written to with --spool-dir")
    }
    unlink(path)
    _ = fcntl(file, F_SETFD, FD_CLOEXEC)
    descriptor = file
  }

  deinit {
    close(descriptor)
  }

  /// Writes `bytes` behind what is committed; the caller then raises `committed` under the lock.
  ///
  /// - Throws: `.localResource` when the disk is full; what was written before counts for nothing.
  func append(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(LinkError) {
    var written = 0
    while written < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[written...])
      let count = pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset + written))
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else {
        throw LinkError(
          .localResource, "spooling to disk", String(cString: strerror(errno)).lowercased(),
          advice: "free some space in --spool-dir")
      }
      written += count
    }
  }

  /// Reads committed bytes from `offset` on.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(LinkError) {
    var done = 0
    while done < buffer.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
      let count = pread(descriptor, rest.baseAddress, rest.count, off_t(offset + done))
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else {
        throw LinkError(
          .localResource, "reading back from the spool",
          count == 0
            ? "a segment is shorter than what was written"
            : String(cString: strerror(errno)).lowercased())
      }
      done += count
    }
  }
}
