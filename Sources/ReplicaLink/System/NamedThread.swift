// Threads with names. All blocking I/O of this package runs on such threads, never in Swift tasks:
// two blocked tasks would starve the task pool of a two-core machine.

import Glibc

/// A running thread that can be waited for once.
///
/// `@unchecked Sendable`: the only state is the pthread handle, written before the value is shared;
/// `join()` must be called by one thread only, which its callers guarantee by owning the thread.
public final class NamedThread: @unchecked Sendable {
  private var handle = pthread_t()

  /// Starts a thread that runs `body` and ends.
  ///
  /// - Parameter name: shown by `top -H` and debuggers; Linux keeps the first 15 bytes.
  public init(_ name: String, _ body: @escaping @Sendable () -> Void) {
    let start = Unmanaged.passRetained(Start(name: name, body: body))
    let status = pthread_create(
      &handle, nil,
      { argument in
        let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
        NamedThread.nameCurrentThread(start.name)
        start.body()
        return nil
      }, start.toOpaque())
    precondition(status == 0, "the system refused to start a thread")
  }

  /// Waits until the thread has ended. At most once.
  public func join() {
    pthread_join(handle, nil)
  }

  /// Through /proc, because the calls for it are not among those that Glibc's module offers.
  private static func nameCurrentThread(_ name: String) {
    let descriptor = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    let bytes = Array(name.utf8.prefix(15))
    _ = write(descriptor, bytes, bytes.count)
    close(descriptor)
  }

  private final class Start {
    let name: String
    let body: @Sendable () -> Void
    init(name: String, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }
}
