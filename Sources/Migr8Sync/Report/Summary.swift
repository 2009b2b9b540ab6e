// Summary: what a run came to, in plain words and numbers, once it is over.

/// Makes the summary of a run.
enum Summary {
  /// The summary for a person; ends with a newline.
  ///
  /// - Parameter reason: Why the run failed or was refused.
  static func text(
    _ final: ProgressSnapshot, outcome: ExitCode, reason: String? = nil
  ) -> String {
    let sentences = meaning(final, outcome: outcome, reason: reason)
    guard outcome != .refused, outcome != .usage else { return sentences + "\n" }
    var rows = [("keys", keys(final)), ("time", times(final))]
    if let snapshot = snapshotSpeed(final) { rows.append(("snapshot", snapshot)) }
    if final.commandsRead > 0 { rows.append(("commands", commands(final))) }
    if let leftOut = leftOut(final) { rows.append(("left out", leftOut)) }
    let lines = rows.map { name, words in
      "  \(name)\(String(repeating: " ", count: 10 - name.count))\(words)\n"
    }
    let destinations = final.destinations.map { destination in
      let numbers = [("keys", keys(destination)), ("commands", commands(destination))]
      let words = numbers.map {
        "    \($0.0)\(String(repeating: " ", count: 10 - $0.0.count))\($0.1)\n"
      }
      return "  \(destination.address ?? "")\n    \(place(destination))\n\(words.joined())"
    }
    return "\(sentences)\n\n\(lines.joined())\(destinations.joined())"
  }

  /// How far one of several destinations is.
  private static func place(_ final: ProgressSnapshot) -> String {
    switch final.lastPhase {
    case .reading, .connecting, .waitingForSnapshot: "nothing was written"
    case .snapshot: "a part of the snapshot"
    case .catchingUp, .following, .finished:
      final.lagBytes > 0
        ? "\(applied(final)); \(HumanNumber.bytes(final.lagBytes)) of the source are not applied"
        : applied(final)
    }
  }

  /// The summary for a program: one object, without a newline.
  static func json(
    _ final: ProgressSnapshot, outcome: ExitCode, reason: String? = nil
  ) -> String {
    var object = JSONObject()
    object.add("event", "summary")
    object.add("outcome", "\(outcome)")
    object.add("exit_code", Int64(outcome.rawValue))
    object.add("message", meaning(final, outcome: outcome, reason: reason))
    final.add(to: &object)
    object.add("last_phase", final.lastPhase.rawValue)
    var phases = JSONObject()
    for phase in ProgressSnapshot.Phase.allCases {
      if let time = final.phaseMilliseconds[phase] { phases.add(phase.rawValue, time) }
    }
    object.add("phase_ms", phases)
    return object.text
  }

  // MARK: In words

  /// What the exit means.
  private static func meaning(
    _ final: ProgressSnapshot, outcome: ExitCode, reason: String?
  ) -> String {
    let because = reason.map { ": \($0)" } ?? ""
    switch outcome {
    case .converged:
      let whose =
        final.destinations.isEmpty ? "The destination has" : "Every destination has"
      var text = "Done. \(whose) all that matches, \(extent(final))."
      if final.keysSkipped > 0 {
        let skipped = HumanNumber.count(final.keysSkipped)
        text += " Keys left as the destination had them (--on-conflict skip): \(skipped)."
      }
      return text
    case .failed: return "Failed\(because)\n\(standing(final))"
    case .usage: return "Wrong command line\(because)"
    case .differences: return "The two ends differ\(because)"
    case .refused: return "Refused, nothing was written\(because)"
    case .interrupted: return "Stopped on request\(because). \(standing(final))"
    case .unknown: return "How it ended is not known\(because)"
    }
  }

  /// What the destination holds after a run that was cut short.
  private static func standing(_ final: ProgressSnapshot) -> String {
    switch final.lastPhase {
    case .reading, .connecting, .waitingForSnapshot, .snapshot:
      if final.keysWritten == 0 { return "No key was written." }
      if !final.destinations.isEmpty {
        return "Not every destination has the snapshot. The same command begins it again for all."
      }
      return
        "The destination holds a part of the keys only. The same command begins the \(final.isByScan ? "copy" : "snapshot") again."
    case .catchingUp, .following, .finished:
      let missing =
        final.lagBytes > 0
        ? " The source sent \(HumanNumber.bytes(final.lagBytes)) more that are not applied."
        : " That is all the source had sent."
      let whose =
        final.destinations.isEmpty ? "The destination has" : "Every destination has"
      return "\(whose) the snapshot, \(applied(final)).\(missing)"
        + " The same command goes on from there."
    }
  }

  /// Of which moment it is.
  private static func extent(_ final: ProgressSnapshot) -> String {
    final.isByScan
      ? "each key as it was when it was read; what was written meanwhile may be missing (see migr8sync"
        + " verify)"
      : applied(final)
  }

  private static func applied(_ final: ProgressSnapshot) -> String {
    "with every write up to source offset \(final.appliedOffset)"
  }

  // MARK: In numbers

  private static func keys(_ final: ProgressSnapshot) -> String {
    "\(HumanNumber.count(final.keysRead)) read, \(HumanNumber.count(final.keysMatched)) matched, "
      + "\(HumanNumber.count(final.keysWritten)) written, "
      + "\(HumanNumber.count(final.keysSkipped)) skipped; "
      + "\(HumanNumber.bytes(final.bytesWritten)) sent to the destination"
  }

  private static func times(_ final: ProgressSnapshot) -> String {
    let total = HumanNumber.duration(milliseconds: final.elapsedMilliseconds)
    let parts = ProgressSnapshot.Phase.allCases.compactMap { phase -> String? in
      guard phase != .finished, let time = final.phaseMilliseconds[phase] else { return nil }
      return "\(phase.title) \(HumanNumber.duration(milliseconds: time))"
    }
    return parts.isEmpty ? total : "\(total): \(parts.joined(separator: ", "))"
  }

  /// How fast the snapshot went.
  private static func snapshotSpeed(_ final: ProgressSnapshot) -> String? {
    let read = "\(HumanNumber.bytes(final.snapshotBytesRead)) read"
    guard let time = final.phaseMilliseconds[.snapshot] else { return nil }
    guard time > 0 else { return read }
    let seconds = Double(time) / 1000
    return "\(read), \(HumanNumber.byteRate(Double(final.snapshotBytesRead) / seconds)), "
      + HumanNumber.rate(Double(final.keysRead) / seconds, of: "keys")
  }

  private static func commands(_ final: ProgressSnapshot) -> String {
    var text =
      "\(HumanNumber.count(final.commandsRead)) read, "
      + "\(HumanNumber.count(final.commandsForwarded)) forwarded"
    let kinds: [(RoutingKind, String)] = [
      (.split, "split"), (.translated, "translated"), (.repaired, "repaired"),
      (.underRepair, "on keys under repair"), (.cleared, "emptied what matches"),
    ]
    for (kind, words) in kinds where final.routing[kind] > 0 {
      text += ", \(HumanNumber.count(final.routing[kind])) \(words)"
    }
    return text + ", \(HumanNumber.count(final.commandsDropped)) about other keys"
  }

  /// What was seen and not moved, by kind.
  private static func leftOut(_ final: ProgressSnapshot) -> String? {
    let kinds: [(UInt64, String)] = [
      (final.routing[.messages], "published messages"),
      (final.routing[.code], "commands on functions and scripts"),
      (final.routing[.unplaced], "commands that could not be placed"),
      (final.keysOfOtherTypes, "keys of other types"),
      (final.keysVanished, "keys that were gone before they were read"),
      (final.keysTorn, "large values that changed while they were read (copied all the same)"),
      (final.functionsLeftOut, "functions"),
      (final.modulesLeftOut, "data of modules"),
    ]
    let parts = kinds.filter { $0.0 > 0 }.map { "\($0.1): \(HumanNumber.count($0.0))" }
    return parts.isEmpty ? nil : parts.joined(separator: ", ")
  }
}
