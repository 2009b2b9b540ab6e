// Why a replay ended before its time: one line for the operator.

import ReplicaLink

/// A failure of the run, with what the operator should know and do.
struct ReplayError: Error, Sendable, CustomStringConvertible {
  /// What becomes of the run.
  enum Kind: Sendable {
    /// It ends.
    case failure
    /// It ends, and nothing failed: the operator asked for it.
    case interruption
    /// A server cannot go on now and may later: the destination's replay waits, then begins again
    /// from the checkpoint.
    case transient
    /// The replay begins again from the checkpoint at once: the link has gone back, or has a new
    /// snapshot.
    case restart
  }

  /// One line: what was being done, to what, why it failed, what to do.
  let description: String
  /// What becomes of the run.
  var kind = Kind.failure
  /// A connection ended, and nothing is known of what was under way on it.
  var isLostConnection = false
  /// A command of the stream was refused, and the checkpoint is behind it all the same.
  var leavesGap = false
  /// A command was refused as it is where its key was removed meanwhile, or has another type.
  var isOfChangedKey = false
  /// A key of somebody else was in the way, by its name at the destination.
  var strangersKey: KeyName?
  /// The source, or the link to it, is at fault: no destination is.
  var isOfSource = false

  init(_ description: String, _ kind: Kind = .failure) {
    self.description = description
    self.kind = kind
  }

  init(_ error: LinkError) {
    description = error.description
    isLostConnection = error.code == .closed || error.code == .timedOut
    switch error.code {
    case .stopped: kind = .interruption
    case _ where error.isRetryable: kind = .transient
    default: kind = .failure
    }
  }

  var isInterruption: Bool { kind == .interruption }

  /// The same, of which the source is the cause.
  var ofSource: ReplayError {
    var error = self
    error.isOfSource = true
    return error
  }

  /// Runs `body` and turns what the connection library throws into a failure of the run.
  static func wrap<R: ~Copyable>(
    _ body: () throws(LinkError) -> R
  ) throws(ReplayError) -> R {
    do {
      return try body()
    } catch {
      throw ReplayError(error)
    }
  }

  static let interrupted = ReplayError("interrupted", .interruption)
}
