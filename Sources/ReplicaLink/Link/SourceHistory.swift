// What a source says in `INFO replication` about the history it could go on with. Asked before PSYNC,
// it explains a full resynchronisation where a continuation was hoped for.

/// The fields of `INFO replication` that decide about a partial resynchronisation.
struct SourceHistory: Sendable {
  let fields: InfoFields

  /// Reads the text of the answer.
  init(_ text: String) {
    fields = InfoFields(text)
  }

  /// The offset of the last byte the source has written.
  var offset: UInt64? { fields.number("master_repl_offset") }

  /// Why a source with this history cannot go on behind `place`, for an operator.
  func obstacle(to place: ReplicationPlace) -> String {
    let unknown =
      "the source does not know the replication id \(place.replicationID.prefix(12))…: it was"
      + " restarted or replaced"
    // Before 4.0 a server does not say its id here.
    guard let identity = fields["master_replid"] else {
      return "the source gave no reason: it was restarted, or its backlog is too small"
    }
    let second = fields.number("second_repl_offset")
    if Self.isSame(fields["master_replid2"], place), let second {
      // The last place at which the old history goes over into the new one.
      if place.offset > second - min(second, 1) {
        let extra = place.offset - (second - min(second, 1))
        return "the source was promoted \(Self.size(extra)) before what we have of its predecessor"
      }
    } else if !Self.isSame(identity, place) {
      return unknown
    }
    guard fields["repl_backlog_active"] != "0" else {
      return "the source has no replication backlog"
    }
    if let first = fields.number("repl_backlog_first_byte_offset"), first > place.offset {
      let gap = first - place.offset - 1
      return "the backlog begins \(Self.size(gap)) after what we have (raise the source's"
        + " repl-backlog-size)"
    }
    if let end = fields.number("master_repl_offset"), end < place.offset {
      return "the source is \(Self.size(place.offset - end)) behind what we have: it has lost data"
    }
    return "the source gave no reason"
  }

  private static func isSame(_ identity: String?, _ place: ReplicationPlace) -> Bool {
    identity?.lowercased() == place.replicationID.lowercased()
  }

  private static func size(_ bytes: UInt64) -> String {
    let units = [("GB", UInt64(1) << 30), ("MB", 1 << 20), ("KB", 1 << 10)]
    guard let (name, unit) = units.first(where: { bytes >= $0.1 }) else { return "\(bytes) bytes" }
    let tenths = bytes / (unit / 10)
    return "\(tenths / 10).\(tenths % 10) \(name)"
  }
}
