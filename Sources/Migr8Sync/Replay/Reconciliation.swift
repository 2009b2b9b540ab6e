// After a repeated snapshot: whatever the destination has of the job's keys that the new snapshot
// does not is gone at the source, and goes here too. Found with SCAN, removed with UNLINK; never a
// flush, so keys that are not the job's are not touched.

import ReplicaLink

/// Removes what the last snapshot no longer holds.
struct Reconciliation: ~Copyable {
  private var keys: DestinationKeys
  private let snapshot: KeyHashSet
  private let skipped: KeyHashSet

  /// - Parameters:
  ///   - snapshot: every key that was written, with the source's db.
  ///   - skipped: the keys that are left alone.
  init(
    connection: consuming RedisConnection, plan: DestinationPlan, snapshot: KeyHashSet,
    skipped: KeyHashSet
  ) {
    keys = DestinationKeys(
      connection, mapping: plan.mapping, databases: plan.destinationDatabases(of: .all))
    self.snapshot = snapshot
    self.skipped = skipped
  }

  /// Does it.
  ///
  /// - Parameter checkpoint: called between steps; throws to end it.
  /// - Returns: how many keys were removed.
  mutating func run(
    _ checkpoint: () throws(ReplayError) -> Void
  ) throws(ReplayError) -> UInt64 {
    try keys.remove { (name) throws(ReplayError) in
      try checkpoint()
      if snapshot.contains(name.key.span, database: name.database) { return false }
      if skipped.contains(name.key.span, database: name.database) { return false }
      CrashPoint.reconciling.pass()
      return true
    }
  }
}
