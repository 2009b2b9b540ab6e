// After a repeated snapshot: whatever the destination has of the job's keys that the new snapshot
// does not is gone at the source, and goes here too. Found with SCAN, removed with UNLINK; never a
// flush, so keys that are not the job's are not touched.

import ReplicaLink

/// Removes what the last snapshot no longer holds.
struct Reconciliation: ~Copyable {
  private var keys: DestinationKeys
  private let snapshot: KeyHashSet
  private let skipped: KeyHashSet
  private let plan: DestinationPlan

  /// - Parameters:
  ///   - snapshot: every key that was written, with the source's db.
  ///   - skipped: the keys that are left alone.
  init(
    connection: consuming RedisConnection, plan: DestinationPlan, snapshot: KeyHashSet,
    skipped: KeyHashSet
  ) {
    keys = DestinationKeys(
      connection, filter: plan.filter, databases: plan.destinationDatabases(of: .all))
    self.plan = plan
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
    try keys.remove { (database, key) throws(ReplayError) in
      try checkpoint()
      let source = plan.databases.source(of: database, filter: plan.filter)
      guard !snapshot.contains(key, database: source), !skipped.contains(key, database: source)
      else { return false }
      CrashPoint.reconciling.pass()
      return true
    }
  }
}
