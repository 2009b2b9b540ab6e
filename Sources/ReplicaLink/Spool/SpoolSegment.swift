// One file of the spool's disk part: private, unlinked from birth, deleted by closing it.

import Glibc

/// An anonymous temporary file of bounded size.
///
/// `@unchecked Sendable`: its only state is a descriptor, constant from `init` to `deinit`. Reads and
/// writes name their place; the producer alone writes, behind what `Spool` calls committed.
final class SpoolSegment: @unchecked Sendable {
  private let descriptor: Int32
  private let limits: SpoolLimits

  /// Makes a segment, or says why it cannot.
  init(_ limits: SpoolLimits) throws(LinkError) {
    self.limits = limits
    var path = Array("\(limits.directory)/migr8sync-spool-XXXXXX".utf8CString)
    // Readable and writable by nobody else, by mkstemp's own rule.
    let file = mkstemp(&path)
    guard file >= 0 else {
      throw LinkError(
        .localResource, "spooling to \(limits.directory)",
        String(cString: strerror(errno)).lowercased(),
        advice: "choose a directory that can be written to with --spool-dir")
    }
    unlink(path)
    _ = fcntl(file, F_SETFD, FD_CLOEXEC)
    descriptor = file
  }

  deinit {
    close(descriptor)
  }

  /// Writes `bytes` at `offset`.
  ///
  /// - Throws: `.localResource` when the disk is full, or would have less than its reserve left; what
  ///   was written before counts for nothing.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(LinkError) {
    try keepReserve(bytes.count)
    var written = 0
    while written < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[written...])
      let count = pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset + written))
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else {
        throw LinkError(
          .localResource, "spooling to \(limits.directory)",
          String(cString: strerror(errno)).lowercased(), advice: "free some space there")
      }
      written += count
    }
  }

  private func keepReserve(_ count: Int) throws(LinkError) {
    var space = statvfs()
    guard fstatvfs(descriptor, &space) == 0 else { return }
    let unit = UInt64(space.f_frsize)
    let free = UInt64(space.f_bavail).multipliedReportingOverflow(by: unit).partialValue
    let total = UInt64(space.f_blocks).multipliedReportingOverflow(by: unit).partialValue
    let reserve = limits.reserveBytes ?? min(1 << 30, total / 20)
    // Subtracted on the other side, the sum could overflow: the reserve is anybody's number.
    guard free >= UInt64(count), free - UInt64(count) >= reserve else {
      throw LinkError(
        .localResource, "spooling to \(limits.directory)",
        "only \(free >> 20) MB are free there, and \(reserve >> 20) MB are left to others",
        advice: "free some, or choose another --spool-dir")
    }
  }

  /// Reads bytes that were written, from `offset` on.
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
