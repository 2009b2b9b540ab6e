// The pauses of a run: how long it waits before it tries a server again.

import ReplicaLink

extension Backoff {
  /// For a destination that is to take the stream again.
  static func forStream() -> Backoff { random(first: 50, longest: 2_000) }
  /// Before another snapshot is asked for: the source has to make it.
  static func forSnapshot() -> Backoff { random(first: 1_000, longest: 60_000) }
  /// For a source that is asked about keys under repair.
  static func forRepair() -> Backoff { random(first: 50, longest: 5_000) }

  private static func random(first: Int64, longest: Int64) -> Backoff {
    var pauses = LinkOptions.Pauses()
    pauses.firstMilliseconds = first
    pauses.longestMilliseconds = longest
    return Backoff(pauses, seed: .random(in: .min ... .max))
  }
}
