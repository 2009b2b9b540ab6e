// The reverse of a run: the same job with the roles of its two servers exchanged. From here on it is a run
// like any other; what differs asks for `reverses`.

import ReplicaLink

extension SyncOptions {
  /// Whether the run brings what the destination gets back to the source.
  var isReverse: Bool { reverses != nil }

  /// Which way it goes, in a word for programs.
  var direction: String { isReverse ? "reverse" : "forward" }

  /// What the reverse of a job is told, from what the job was told.
  ///
  /// - Parameter identity: the job, as its destination knows it.
  /// - Throws: where the two ends are not certain to be equal, or the rules cannot be turned round.
  func reversed(_ identity: JobIdentity) throws(KeyMapping.Irreversible) -> SyncOptions {
    guard routes.count == 1 else {
      throw KeyMapping.Irreversible(
        description: "a job with several destinations has no reverse (make a job of each)")
    }
    if case .skip = onConflict {
      throw KeyMapping.Irreversible(
        description:
          "with --on-conflict skip the two ends are not equal, and what is written to a key"
          + " that was left alone would go where it does not belong")
    }
    var reverse = self
    reverse.ends.source = routes[0].destination
    reverse.ends.routes = [Route(destination: source, mapping: try routes[0].mapping.inverse())]
    reverse.jobName = identity.name
    reverse.reverses = identity
    // What the source has of these keys is the job's own.
    reverse.onConflict = .replace
    reverse.clearsDestination = false
    reverse.ends.prefersReplica = false
    reverse.psyncCommand = "PSYNC"
    reverse.once = false
    return reverse
  }
}
