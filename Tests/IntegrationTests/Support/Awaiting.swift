// Waiting for a condition with a deadline (no test sleeps for a guessed time), and the trait that
// gives every integration test a thread of its own: they block on sockets and child processes, and
// the two threads of Swift's own pool would let only two of them run.

import Glibc
import Testing

/// Polls `condition` until it holds. Throws, naming what was awaited, after `seconds`.
func awaitCondition(
  _ what: @autoclosure () -> String, seconds: Double = 30, _ condition: () throws -> Bool
) throws {
  let deadline = monotonicSeconds() + seconds
  while try !condition() {
    if monotonicSeconds() > deadline {
      throw TestFailure("waited \(seconds) s for \(what())")
    }
    usleep(2000)
  }
}

func monotonicSeconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

func wallClockMilliseconds() -> Int {
  var time = timespec()
  clock_gettime(CLOCK_REALTIME, &time)
  return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
}

/// Runs the tests of a suite on threads of their own, a limited number at a time.
struct OwnThreadTrait: SuiteTrait, TestTrait, TestScoping {
  var isRecursive: Bool { true }

  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    guard testCase != nil else { return try await function() }
    try await withTaskExecutorPreference(ThreadExecutor.shared) { try await function() }
  }
}

extension Trait where Self == OwnThreadTrait {
  /// The test may block: it gets a thread of its own.
  static var ownThread: Self { OwnThreadTrait() }
}

/// Runs every job on a fresh thread, at most `concurrentJobsMax` of them at a time.
private final class ThreadExecutor: TaskExecutor, @unchecked Sendable {
  // Sendable: the semaphore is made for sharing and is set up before anyone else sees it.

  static let shared = ThreadExecutor()

  /// More tests at once than cores, because most of their time is spent waiting.
  private static let concurrentJobsMax: UInt32 = 6

  private let gate: UnsafeMutablePointer<sem_t>

  private init() {
    gate = .allocate(capacity: 1)
    sem_init(gate, 0, Self.concurrentJobsMax)
    Self.raiseDescriptorLimit()
  }

  /// Servers, clients and proxies of all tests share one process: what the system allows counts.
  private static func raiseDescriptorLimit() {
    let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    var limit = rlimit()
    guard getrlimit(files, &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    setrlimit(files, &limit)
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let executor = asUnownedTaskExecutor()
    let thread = startThread { [self] in
      while sem_wait(gate) != 0 {}
      job.runSynchronously(on: executor)
      sem_post(gate)
    }
    pthread_detach(thread)
  }
}
