// What has happened to the link since somebody looked: made from two readings of its status.

import ReplicaLink

/// Turns changes of a link's status into lines for the operator. For one thread.
struct LinkNotices {
  private var reconnects = 0
  private var continuations = 0
  private var fullResyncCount = 0
  private var replicationID: String?

  /// The lines for what changed.
  mutating func take(_ status: LinkStatus) -> [String] {
    var lines: [String] = []
    if status.reconnects > reconnects, let error = status.lastError {
      lines.append("the link to the source was lost: \(error)")
    }
    if status.continuations > continuations, status.reconnects > 0 {
      let id = status.replicationID ?? ""
      let adopted = replicationID != nil && replicationID != id ? " under its new id \(id)" : ""
      lines.append("the link goes on behind offset \(status.boundaryOffset)\(adopted)")
    }
    if status.fullResyncCount > fullResyncCount, let last = status.fullResyncs.last,
      let reason = last.reason
    {
      lines.append("full resynchronisation: \(reason)")
    }
    reconnects = status.reconnects
    continuations = status.continuations
    fullResyncCount = status.fullResyncCount
    replicationID = status.replicationID
    return lines
  }
}
