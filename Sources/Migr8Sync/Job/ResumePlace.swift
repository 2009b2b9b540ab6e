// Where the one link of a run begins, when each destination knows for itself how far it is. Logic without
// I/O, from the records and what the source says of its history.

import ReplicaLink

/// Where a run's link is to begin.
enum ResumePlace: Sendable, Equatable {
  /// A snapshot for all destinations. The reason is nil for a job that begins.
  case snapshot(reason: String?)
  /// The stream behind this place; destinations that are ahead of it pass over what they have.
  case stream(ReplicationPlace)

  /// Decides it.
  ///
  /// The place is that of the destination that is furthest behind. The others must be further on in the
  /// same history, as far as the source has it: bytes of another history would be passed over as if they
  /// were applied.
  ///
  /// - Parameters:
  ///   - records: of each destination, with its address.
  ///   - source: nil where the source does not tell of its history.
  init(_ records: [(address: String, record: JobRecord?)], source: ServerFacts?) {
    var places: [(address: String, place: ReplicationPlace)] = []
    var behind: [String] = []
    for (address, record) in records {
      if let record, record.phase == .stream {
        places.append((address, record.place))
      } else {
        behind.append(address)
      }
    }
    guard let first = places.min(by: { $0.place.offset < $1.place.offset }) else {
      self = .snapshot(reason: nil)
      return
    }
    if !behind.isEmpty {
      let names = behind.joined(separator: " and ")
      self = .snapshot(
        reason:
          "\(names) \(behind.count == 1 ? "has" : "have") no whole snapshot of this job yet, and"
          + " one link brings one snapshot to all")
      return
    }
    self = .stream(first.place)
    for (address, place) in places where place != first.place {
      guard let source else {
        self = .snapshot(
          reason:
            "the destinations are at different offsets, and the source does not say whether it has"
            + " all of them (grant its user +info)")
        return
      }
      let isSame = place.replicationID == first.place.replicationID
      guard let end = source.fields.historyEnd(of: first.place.replicationID) else { return }
      guard place.offset <= end, isSame || source.knowsHistory(place.replicationID) else {
        self = .snapshot(
          reason:
            "\(address) is at offset \(place.offset), which the source's history does not share"
            + " with that of \(first.address)")
        return
      }
    }
  }
}
