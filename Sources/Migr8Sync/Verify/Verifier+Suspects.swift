// Keys that seemed to differ: read again until the two ends agree, or until it is known that they differ.

import RDBParser
import ReplicaLink

extension Verifier {
  /// Decides suspects that are due.
  ///
  /// - Parameter all: whether to wait until every one is decided; otherwise only while there are more
  ///   than may wait.
  mutating func settle(all: Bool) throws(ReplayError) {
    // Where no job tells, deciding takes a while however many there are: so many together.
    let enough = pair.job == nil ? SuspectBook.countMax / 2 : 1
    while !book.isEmpty, all || book.count >= enough {
      if progress.isCancelled { throw .interrupted }
      let now = Clock.monotonicMilliseconds()
      let group = book.takeDue(now: now)
      if group.isEmpty {
        guard all || book.isFull else { break }
        let due = book.firstDueMilliseconds ?? now
        try progress.pause(milliseconds: max(1, due - now))
        continue
      }
      try decide(group)
      let left = UInt64(book.count)
      progress.update { $0.suspects = left }
    }
    let left = UInt64(book.count)
    progress.update { $0.suspects = left }
  }

  private mutating func decide(_ group: [Suspect]) throws(ReplayError) {
    if let large = group.first, large.isLarge { return try decideLarge(large) }
    // Most of them were only on their way.
    let states = try pair.readStates(group.map(\.name))
    var left: [Suspect] = []
    for (suspect, state) in zip(group, states)
    where pair.judge(state.source, state.destination) != .same { left.append(suspect) }
    if !left.isEmpty { try decideTogether(left[...]) }
  }

  private mutating func decideTogether(
    _ group: ArraySlice<Suspect>
  ) throws(ReplayError) {
    let names = group.map(\.name)
    let mapping = plan.mapping
    let reading = try pair.read(
      names, source: names.flatMap { pair.source.stateCommands($0.key) },
      destination: names.flatMap {
        pair.destination.stateCommands(mapping.destinationKey(of: $0.key))
      })
    switch reading {
    case .behind: for suspect in group { putBack(suspect) }
    case .changed:
      guard group.count > 1 else { return putBack(group[group.startIndex]) }
      let middle = group.startIndex + group.count / 2
      try decideTogether(group[..<middle])
      try decideTogether(group[middle...])
    case .answers(let mine, let theirs):
      let (mineCount, theirsCount) = (
        pair.source.stateReplyCount, pair.destination.stateReplyCount
      )
      for (index, suspect) in group.enumerated() {
        conclude(
          suspect, pair.source.state(mine[(index * mineCount)..<((index + 1) * mineCount)]),
          pair.destination.state(
            theirs[(index * theirsCount)..<((index + 1) * theirsCount)]))
      }
    }
  }

  private mutating func conclude(
    _ suspect: Suspect, _ source: RawState, _ destination: RawState
  ) {
    switch pair.judge(source, destination) {
    case .same: break
    case .expiring: putBack(suspect)
    case .different(let cause):
      report(suspect.name, cause, PairReader.detail(cause, source, destination))
    }
  }

  private mutating func decideLarge(_ suspect: Suspect) throws(ReplayError) {
    switch try pair.compareLarge(suspect.name, bytes: suspect.bytes) {
    case .same: break
    case .undecided: giveUp(suspect)
    case .different(let cause, let detail): report(suspect.name, cause, detail)
    }
  }

  private mutating func putBack(_ suspect: Suspect) {
    if !book.putBack(suspect, now: Clock.monotonicMilliseconds()) { giveUp(suspect) }
  }

  private mutating func giveUp(_ suspect: Suspect) {
    progress.update { $0.undecided += 1 }
    onUndecided(suspect.name)
  }

  private mutating func report(_ name: KeyName, _ cause: DifferenceCause, _ detail: String) {
    let destinationName = KeyName(
      database: plan.mapping.destination(of: name.database),
      key: plan.mapping.destinationKey(of: name.key))
    let difference = Difference(
      name: name, destinationName: destinationName, cause: cause, detail: detail)
    progress.update { $0.differences[cause, default: 0] += 1 }
    if plan.fixes, found.count < Self.foundMax { found.append(difference) }
    onDifference(difference)
  }
}
