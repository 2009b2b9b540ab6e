// The steps at which a test may ask the process to die, to show that the next run goes on from there
// without loss. Asked for with MIGR8SYNC_CRASH_AT=<name>[:count]: dies at the count-th time it gets
// there. The environment is read once; where it says nothing, a step costs one comparison per batch.

import Glibc
import Synchronization

/// A named step between the tool and its destination.
enum CrashPoint: String, CaseIterable, Sendable {
  /// All of a batch and its checkpoint are at the destination, but for the EXEC.
  case beforeExec = "before-exec"
  /// The EXEC is sent, its reply unread.
  case afterExec = "after-exec"
  /// The reply was read, and nothing made of it.
  case afterReply = "after-reply"
  /// The batch counts as applied, and the link does not know.
  case beforeAcknowledge = "before-ack"
  /// A command was refused inside the transaction, and no record says that its key is to be read again.
  case refusalRead = "refusal-read"
  /// A key was read again from the source, and nothing of it is at the destination.
  case repairing = "repairing"
  /// Every key of the snapshot is at the destination, and the record does not say so.
  case snapshotWritten = "snapshot-written"
  /// The record says that the snapshot is there, and nothing of the stream was read.
  case snapshotRecorded = "snapshot-recorded"
  /// Keys that the source no longer has are being removed.
  case reconciling = "reconciling"
  /// A cutover has fenced the source, and nobody was handed over.
  case fenced
  /// The destinations know that the hand-over begins, and the application does not.
  case marked
  /// The reverse has a record of its own at the source, and the destination's does not say so.
  case reversing

  /// What was asked for: the step's name, and at the how manieth time.
  private static let request: [Substring] = {
    guard let value = getenv("MIGR8SYNC_CRASH_AT") else { return [] }
    return String(cString: value).split(separator: ":")
  }()
  private static let requested = request.first.flatMap { CrashPoint(rawValue: String($0)) }
  private static let timesLeft = Atomic(request.count > 1 ? Int(request[1]) ?? 1 : 1)

  /// Whether the process is to die here and now. Counts.
  var isDue: Bool {
    guard Self.requested == self else { return false }
    return Self.timesLeft.subtract(1, ordering: .relaxed).newValue == 0
  }

  /// Dies here if it was asked for, as by `kill -9`.
  func pass() {
    if isDue { kill(getpid(), SIGKILL) }
  }

  /// Dies, as by `kill -9`.
  func die() {
    kill(getpid(), SIGKILL)
  }
}
