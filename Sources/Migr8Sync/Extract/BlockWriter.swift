// BlockWriter: the thread that writes an output. The reading thread fills blocks; this one sums them up,
// where the format has a checksum, and writes them, so that both cores have work.

import Glibc
import RDBParser
import ReplicaLink

/// A piece of an output.
///
/// `@unchecked Sendable`: one thread has it at a time; the queue's monitor hands it over.
final class OutputBlock: @unchecked Sendable {
  var bytes = emptyBytes()
  /// Whether what follows may have to be taken back.
  var isMarked = false

  static func emptyBytes() -> ByteBuffer {
    ByteBuffer(capacity: OutputStream.blockBytes + (64 << 10))
  }
}

/// Writes blocks in order on a thread of its own.
///
/// `@unchecked Sendable`: the queue, the failure and the places are guarded by the monitor; the
/// checksum belongs to the thread until it is joined or the queue was drained.
final class BlockWriter: @unchecked Sendable {
  /// Blocks that wait at most.
  private static let waitingMax = 3

  private let monitor = Monitor()
  private let descriptor: Int32
  private let sumsUp: Bool
  private var waiting: [OutputBlock] = []
  private var free: [OutputBlock] = []
  private var isWriting = false
  private var isClosed = false
  private var failure: Int32 = 0
  private var written: off_t = 0
  private var checksum: UInt64 = 0
  private var mark: (written: off_t, checksum: UInt64)?
  private var thread: NamedThread?

  /// - Parameter sumsUp: whether to compute the CRC-64 of all that is written.
  init(_ descriptor: Int32, sumsUp: Bool) {
    self.descriptor = descriptor
    self.sumsUp = sumsUp
  }

  /// Starts the thread.
  func start() {
    thread = NamedThread("output") { [self] in run() }
  }

  /// Hands a block over and gets an empty one. Waits while too many wait.
  ///
  /// - Returns: the block, and the system's number of the error that ended the writing, or 0.
  func exchange(_ block: OutputBlock) -> (block: OutputBlock, failure: Int32) {
    monitor.withLock {
      while waiting.count >= Self.waitingMax, failure == 0 { monitor.wait() }
      waiting.append(block)
      monitor.broadcast()
      return (free.popLast() ?? OutputBlock(), failure)
    }
  }

  /// Takes back what was written since the marked block. Only for regular files.
  ///
  /// - Returns: the system's number of the error, or 0.
  func rewind() -> Int32 {
    monitor.withLock {
      while !waiting.isEmpty || isWriting, failure == 0 { monitor.wait() }
      guard failure == 0, let mark else { return failure }
      guard ftruncate(descriptor, mark.written) == 0,
        lseek(descriptor, mark.written, SEEK_SET) == mark.written
      else { return errno }
      written = mark.written
      checksum = mark.checksum
      return 0
    }
  }

  /// Waits until everything is written, and ends the thread.
  ///
  /// - Returns: the checksum, and the number of the error that ended the writing, or 0.
  func close() -> (checksum: UInt64, failure: Int32) {
    monitor.withLock {
      isClosed = true
      monitor.broadcast()
    }
    thread?.join()
    thread = nil
    return (checksum, failure)
  }

  private func run() {
    while let block = next() {
      let outcome = write(block)
      block.bytes.removeAll()
      monitor.withLock {
        if failure == 0 { failure = outcome }
        block.isMarked = false
        free.append(block)
        isWriting = false
        monitor.broadcast()
      }
    }
  }

  private func next() -> OutputBlock? {
    monitor.withLock {
      while waiting.isEmpty, !isClosed { monitor.wait() }
      guard !waiting.isEmpty else { return nil }
      isWriting = true
      monitor.broadcast()
      return waiting.removeFirst()
    }
  }

  private func write(_ block: OutputBlock) -> Int32 {
    if monitor.withLock({ failure }) != 0 { return 0 }
    if sumsUp { checksum = block.bytes.withBytes { CRC64.update(checksum, $0) } }
    let outcome = Self.write(block.bytes, to: descriptor)
    written += off_t(block.bytes.count)
    if block.isMarked { mark = (written, checksum) }
    return outcome
  }

  /// Writes all of it; the number of the error, or 0.
  static func write(_ bytes: borrowing ByteBuffer, to descriptor: Int32) -> Int32 {
    var start = 0
    while start < bytes.count {
      let count = bytes.withBytes(from: start) { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count >= 0 {
        start += count
      } else if errno == EAGAIN {
        var state = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&state, 1, -1)
      } else if errno != EINTR {
        return errno
      }
    }
    return 0
  }
}
