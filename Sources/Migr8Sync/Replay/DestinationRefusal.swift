// What a destination's error reply means: what the operator should do, and whether waiting helps.

import ReplicaLink

/// Turns error replies of the destination into failures with advice.
enum DestinationRefusal {
  /// The failure for error `line` in answer to a command on `key`.
  ///
  /// - Parameters:
  ///   - key: the command's; of a value being built under another name its own is told.
  ///   - mapping: what it is called at the source.
  ///   - stringLength: bytes of the string the command writes a part of, or 0.
  ///   - place: where in the stream, or empty.
  static func error(
    _ line: String, command: String, key: [UInt8]?, mapping: KeyMapping = .identity,
    stringLength: UInt64 = 0, place: String, peer: String
  ) -> ReplayError {
    let suffix = LoaderSink.partialSuffix
    let own = key.map {
      $0.suffix(suffix.count) == suffix[...] ? $0.dropLast(suffix.count) : $0[...]
    }
    let subject = own.map { " \(mapping.shown(there: Array($0)))" } ?? ""
    let action = "writing to \(peer): \(command)\(subject)\(place)"
    // What aborted a transaction stands behind the word that says so.
    let inner =
      line.range(after: "EXECABORT Transaction discarded because of: ").map { String($0) } ?? line
    if let known = known(inner, action) { return known }
    if inner.contains("Bad data format") {
      return ReplayError(
        "\(action): the destination's version does not know this type of value"
          + " (use a destination at least as new as the source)")
    }
    if inner.contains("exceeds maximum allowed size") || inner.contains("invalid bulk length") {
      let size = stringLength > 0 ? "the string of \(stringLength) bytes" : "the value"
      return ReplayError(
        "\(action): \(size) is longer than the destination takes (raise its proto-max-bulk-len, or"
          + " leave the key out of the filter)")
    }
    if inner.contains("payload version or checksum") {
      return ReplayError("\(action): the destination refuses the payload: \(inner)")
    }
    return ReplayError("\(action): the destination answered: \(inner)")
  }

  /// The failure at a key of somebody else.
  ///
  /// - Parameters:
  ///   - name: as the destination has it.
  ///   - isOfJob: whether a job remembers it (`StrangersKey`).
  static func conflict(
    at name: KeyName, mapping: KeyMapping, isOfJob: Bool, peer: String
  ) -> ReplayError {
    var error = ReplayError(
      "writing to \(peer): \(mapping.shown(there: name.key)): the key has appeared at the destination"
        + " since the run began; it was not overwritten "
        + (isOfJob
          ? "(find who writes it, then remove or rename it: while it is there the same command is"
            + " refused, and after that it overwrites or removes whatever else matches there)"
          : "(find who writes it, or choose --on-conflict replace|skip)"))
    error.strangersKey = name
    return error
  }

  private static func known(_ line: String, _ action: String) -> ReplayError? {
    switch line.prefix(while: { $0 != " " }) {
    case "OOM":
      return ReplayError(
        "\(action): the destination is out of memory (raise its maxmemory, or move less)",
        .transient)
    case "READONLY":
      return ReplayError(
        "\(action): the destination is read-only, it is a replica (name its master as --dest)",
        .transient)
    case "NOPERM":
      return ReplayError(
        "\(action): the destination's user lacks the permission: \(line.dropFirst(7))"
          + " (grant it with ACL SETUSER)")
    case "MISCONF":
      return ReplayError(
        "\(action): the destination cannot save to its disk and refuses writes"
          + " (see its log; free disk space)", .transient)
    case "LOADING", "MASTERDOWN", "NOREPLICAS", "CLUSTERDOWN", "BUSY", "TRYAGAIN", "EXECABORT",
      "UNKILLABLE":
      return ReplayError(
        "\(action): the destination cannot write now: \(line) (try again later)", .transient)
    case "NOAUTH", "WRONGPASS":
      return ReplayError(
        "\(action): the destination wants another password than it was given: \(line)",
        .transient)
    case "MOVED", "ASK", "CROSSSLOT":
      return ReplayError(
        "\(action): the destination is a cluster node, which is not supported yet")
    default: return nil
    }
  }
}

extension String {
  /// What stands behind `beginning`; nil when the text does not begin so.
  fileprivate func range(after beginning: String) -> Substring? {
    hasPrefix(beginning) ? dropFirst(beginning.count) : nil
  }
}
