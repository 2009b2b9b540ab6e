// The checks of a server that is attached to.

import ReplicaLink

/// What the checks learned of a source that is read and not moved.
struct SourceFindings: Sendable {
  /// Nil when the source's user may not run INFO.
  let facts: ServerFacts?
  /// What the operator should know of the choice of the server.
  let remark: String?
  /// What attaching to it may cost it.
  let warnings: [AttachWarning]
}

extension Preflight {
  /// Checks a source alone.
  static func source(
    _ locator: ServerLocator, timeouts: Timeouts
  ) throws(PreflightError) -> SourceFindings {
    let place = try find(locator)
    var connection = try connect(place.url, timeouts)
    let facts = try facts(&connection)
    let readAt = Clock.monotonicMilliseconds()
    try checkSource(facts, place.url.endpoint)
    do throws(LinkError) {
      let conditions = try AttachConditions.read(&connection, first: facts, readAt: readAt)
      return SourceFindings(
        facts: facts, remark: place.remark, warnings: AttachWarning.all(conditions))
    } catch {
      throw .failed(ReplayError(error))
    }
  }

  static func checkSource(
    _ facts: ServerFacts?, _ source: Endpoint
  ) throws(PreflightError) {
    guard let facts else { return }
    if facts.isLoading {
      throw refuse(
        "the source \(source) is still loading its dataset (try again when INFO persistence"
          + " says loading:0)")
    }
    if facts.isReplica && !facts.isMasterLinkUp {
      throw refuse(
        "the source \(source) is a replica whose link to its master \(facts.masterAddress) is"
          + " down (wait for the link, or name the master as --source)")
    }
  }
}
