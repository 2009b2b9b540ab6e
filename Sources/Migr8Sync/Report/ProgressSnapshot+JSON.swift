// The numbers of a run as members of a JSON object: the same names in progress and summary.

extension ProgressSnapshot {
  /// Adds every number; what is not known is left out.
  func add(to object: inout JSONObject) {
    if let address { object.add("address", address) }
    object.add("phase", phase.rawValue)
    object.add("elapsed_ms", elapsedMilliseconds)
    object.add("keys_read", keysRead)
    if let keysExpected { object.add("keys_expected", keysExpected) }
    object.add("keys_matched", keysMatched)
    object.add("keys_written", keysWritten)
    object.add("keys_skipped", keysSkipped)
    object.add("snapshot_bytes_read", snapshotBytesRead)
    if let snapshotBytesExpected { object.add("snapshot_bytes_expected", snapshotBytesExpected) }
    object.add("bytes_written", bytesWritten)
    object.add("commands_read", commandsRead)
    for kind in RoutingKind.allCases where kind != .control && kind != .failed {
      object.add("commands_" + kind.name, routing[kind])
    }
    object.add("keys_repaired", routing.repairsRequested)
    object.add("reconnects", reconnects)
    object.add("full_resynchronisations", fullResynchronisations)
    object.add("keys_of_other_types", keysOfOtherTypes)
    if isByScan {
      object.add("via", "scan")
      object.add("keys_vanished", keysVanished)
      object.add("keys_torn", keysTorn)
    }
    object.add("functions_left_out", functionsLeftOut)
    object.add("modules_left_out", modulesLeftOut)
    object.add("source_offset", sourceOffset)
    object.add("applied_offset", appliedOffset)
    object.add("lag_bytes", lagBytes)
    object.add("lag_ms", lagMilliseconds)
    object.add("queue_memory_bytes", queueMemoryBytes)
    object.add("queue_disk_bytes", queueDiskBytes)
    if let warning { object.add("warning", warning) }
    if destinations.isEmpty { return }
    object.add(
      "destinations",
      destinations.map { destination in
        var own = JSONObject()
        destination.add(to: &own)
        return own
      })
  }
}
