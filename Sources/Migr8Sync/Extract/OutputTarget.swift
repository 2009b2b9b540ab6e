// OutputTarget: where an output goes. A file is written beside its name and renamed when it is complete
// and on the disk, so nothing that looks whole ever is not.

import Glibc
import ReplicaLink

/// The standard output, or a file that appears when it is complete.
///
/// `@unchecked Sendable`: immutable but for `isOpen`, which the owner's thread and, after a stop, the end
/// of the process look at.
final class OutputTarget: @unchecked Sendable {
  /// What the operator calls it.
  let name: String
  let descriptor: Int32
  /// The name it has until it is complete; nil where it is written to directly.
  private let partialPath: String?
  private let path: String
  private var isOpen = true

  /// Opens it.
  ///
  /// - Parameter path: nil or `-` for the standard output.
  init(_ path: String?) throws(ReplayError) {
    guard let path, path != "-" else {
      self.path = ""
      name = "the standard output"
      partialPath = nil
      descriptor = STDOUT_FILENO
      return
    }
    name = path
    var status = stat()
    let exists = stat(path, &status) == 0
    if exists, status.st_mode & S_IFMT == S_IFDIR {
      throw ReplayError("writing \(path): it is a folder (name a file)")
    }
    if exists, status.st_mode & S_IFMT != S_IFREG {
      self.path = path
      partialPath = nil
      descriptor = open(path, O_WRONLY | O_CLOEXEC)
    } else {
      self.path = Self.resolved(path)
      let partial = "\(self.path).partial-\(getpid())"
      partialPath = partial
      descriptor = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    }
    if descriptor < 0 { throw failed("creating", errno) }
  }

  deinit {
    abandon()
  }

  /// Whether what was written can be taken back.
  var canRewind: Bool { partialPath != nil }

  /// Brings what was written to the disk.
  func secure() throws(ReplayError) {
    guard isOpen, partialPath != nil else { return }
    guard fsync(descriptor) == 0 else { throw failed("writing", errno) }
  }

  /// Makes the file appear under its name; all of it is on the disk.
  func publish() throws(ReplayError) {
    guard isOpen else { return }
    guard let partialPath else { return isOpen = false }
    guard rename(partialPath, path) == 0 else { throw failed("renaming", errno) }
    close(descriptor)
    isOpen = false
    let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
    let folder = open(slash.map { String(path[...$0]) } ?? ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { return }
    fsync(folder)
    close(folder)
  }

  /// Removes what was written so far.
  func abandon() {
    guard isOpen else { return }
    isOpen = false
    guard let partialPath else { return }
    if descriptor >= 0 {
      close(descriptor)
      unlink(partialPath)
    }
  }

  /// What to tell of an error of the system.
  func failed(_ doing: String, _ number: Int32) -> ReplayError {
    if number == EPIPE { return .readerIsGone }
    return ReplayError("\(doing) \(name): \(String(cString: strerror(number)))")
  }

  /// Behind symbolic links, so that the file is replaced and not the link.
  private static func resolved(_ path: String) -> String {
    guard let real = realpath(path, nil) else { return path }
    defer { free(real) }
    return String(cString: real)
  }
}

extension ReplayError {
  /// Whoever read our output has gone; there is nothing to tell.
  static let readerIsGone = ReplayError("the reader of the output has gone", .interruption)
}
