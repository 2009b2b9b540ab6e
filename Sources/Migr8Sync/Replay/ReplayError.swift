// Why a replay ended before its time: one line for the operator.

import ReplicaLink

/// A failure of the run, with what the operator should know and do.
struct ReplayError: Error, Sendable, CustomStringConvertible {
  /// One line: what was being done, to what, why it failed, what to do.
  let description: String
  /// Whether nothing failed: the operator asked to stop.
  var isInterruption = false

  init(_ description: String) {
    self.description = description
  }

  init(_ error: LinkError) {
    description = error.description
    isInterruption = error.code == .stopped
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

  static let interrupted: ReplayError = {
    var error = ReplayError("interrupted")
    error.isInterruption = true
    return error
  }()
}

/// What a destination's error reply means, with advice.
enum DestinationRefusal {
  /// The failure for error `line` in answer to a command on `key`.
  ///
  /// - Parameters:
  ///   - key: the command's; of a value being built under another name its own is told.
  ///   - stringLength: bytes of the string the command writes a part of, or 0.
  ///   - place: where in the stream, or empty.
  static func error(
    _ line: String, command: String, key: [UInt8]?, stringLength: UInt64 = 0, place: String,
    peer: String
  ) -> ReplayError {
    let suffix = LoaderSink.partialSuffix
    let own = key.map {
      $0.suffix(suffix.count) == suffix[...] ? $0.dropLast(suffix.count) : $0[...]
    }
    let subject = own.map { " \(Printable.key(Array($0)))" } ?? ""
    let action = "writing to \(peer): \(command)\(subject)\(place)"
    let word = line.prefix { $0 != " " }
    switch word {
    case "OOM":
      return ReplayError(
        "\(action): the destination is out of memory (raise its maxmemory, or move less)")
    case "READONLY":
      return ReplayError(
        "\(action): the destination is read-only, it is a replica (name its master as --dest)")
    case "NOPERM":
      return ReplayError(
        "\(action): the destination's user lacks the permission: \(line.dropFirst(7))"
          + " (grant it with ACL SETUSER)")
    case "MISCONF":
      return ReplayError(
        "\(action): the destination cannot save to its disk and refuses writes"
          + " (see its log; free disk space)")
    case "BUSYKEY":
      return ReplayError(
        "\(action): the key has appeared at the destination since the run began; nothing was"
          + " overwritten (find who writes it, or choose --on-conflict replace|skip)")
    case "LOADING", "MASTERDOWN", "NOREPLICAS", "CLUSTERDOWN":
      return ReplayError("\(action): the destination cannot write now: \(line) (try again later)")
    case "MOVED", "ASK", "CROSSSLOT":
      return ReplayError(
        "\(action): the destination is a cluster node, which is not supported yet")
    default:
      if line.contains("Bad data format") {
        return ReplayError(
          "\(action): the destination's version does not know this type of value"
            + " (use a destination at least as new as the source)")
      }
      if line.contains("exceeds maximum allowed size") || line.contains("invalid bulk length") {
        let size = stringLength > 0 ? "the string of \(stringLength) bytes" : "the value"
        return ReplayError(
          "\(action): \(size) is longer than the destination takes (raise its proto-max-bulk-len, or"
            + " leave the key out of the filter)")
      }
      if line.contains("payload version or checksum") {
        return ReplayError("\(action): the destination refuses the payload: \(line)")
      }
      return ReplayError("\(action): the destination answered: \(line)")
    }
  }
}
