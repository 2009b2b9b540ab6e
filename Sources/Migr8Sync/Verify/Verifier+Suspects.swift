// Keys that seemed to differ: read again until the two ends agree, or until it is known that they differ.

import RDBParser
import ReplicaLink

extension Verifier {
  /// So long those that are due may wait for others, in milliseconds: behind them nothing is a place to begin
  /// again from.
  private static let settleEveryMilliseconds: Int64 = 5_000

  /// Decides suspects that are due.
  ///
  /// - Parameter all: whether to wait until every one is decided; otherwise only while there are more
  ///   than may wait, or they have waited long.
  mutating func settle(all: Bool) throws(ReplayError) {
    // Where no job tells, deciding takes a while however many there are: so many together.
    let isLate =
      Clock.monotonicMilliseconds() - settledMilliseconds > Self.settleEveryMilliseconds
    let enough = pair.job == nil && !isLate ? SuspectBook.countMax / 2 : 1
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
      settledMilliseconds = Clock.monotonicMilliseconds()
      let left = UInt64(book.count)
      progress.update { $0.suspects = left }
    }
    let left = UInt64(book.count)
    progress.update { $0.suspects = left }
  }

  /// Decides keys of one db, each by the size that it has now.
  private mutating func decide(_ suspects: [Suspect]) throws(ReplayError) {
    guard let first = suspects.first else { return }
    try pair.selectBoth(first.name)
    let sizes = try pair.sizes(suspects.map(\.name.key))
    var group: [Suspect] = []
    var groupBytes: UInt64 = 0
    for (suspect, size) in zip(suspects, sizes) {
      // What neither end has is the same.
      guard let size else { continue }
      if size >= Self.largeBytes {
        try decideLarge(suspect, size)
        continue
      }
      if groupBytes.saturatingAdd(size) > Self.groupBytesMax {
        try decideSmall(group)
        group = []
        groupBytes = 0
      }
      group.append(suspect)
      groupBytes = groupBytes.saturatingAdd(size)
    }
    try decideSmall(group)
  }

  private mutating func decideSmall(_ group: [Suspect]) throws(ReplayError) {
    // Most of them were only on their way.
    if group.isEmpty { return }
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
    case .changed, .unready:
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

  private mutating func decideLarge(_ suspect: Suspect, _ size: UInt64) throws(ReplayError) {
    if progress.isCancelled { throw .interrupted }
    if try !isAskedFor(suspect.name) { return }
    switch try pair.compareLarge(suspect.name, bytes: size) {
    case .same: break
    case .undecided: giveUp(suspect)
    case .different(let cause, let detail): report(suspect.name, cause, detail)
    }
  }

  /// Whether a large value is of a type that the rules do not leave out: the source's, where it has one.
  private mutating func isAskedFor(_ name: KeyName) throws(ReplayError) -> Bool {
    if plan.mapping.filter.types == nil { return true }
    let (mine, other) = try pair.askBoth(name, [Array("TYPE".utf8)])
    let words = [mine, other].compactMap(\.text).filter { $0 != "none" }
    // A module calls its types what it likes.
    return plan.mapping.filter.matches(
      type: words.first.map { RDBValueKind(rawValue: $0) ?? .module } ?? .unknown)
  }

  private mutating func putBack(_ suspect: Suspect) {
    if !book.putBack(suspect, now: Clock.monotonicMilliseconds()) { giveUp(suspect) }
  }

  private mutating func giveUp(_ suspect: Suspect) {
    progress.update { $0.undecided += 1 }
    onUndecided(suspect.name)
  }

  mutating func report(_ name: KeyName, _ cause: DifferenceCause, _ detail: String) {
    let destinationName = KeyName(
      database: plan.mapping.destination(of: name.database),
      key: plan.mapping.destinationKey(of: name.key))
    let difference = Difference(
      name: name, destinationName: destinationName, cause: cause, detail: detail)
    progress.update { $0.differences[cause, default: 0] += 1 }
    if plan.fixes {
      if found.count < Self.foundMax {
        found.append(difference)
      } else {
        otherDifferences[cause, default: 0] += 1
      }
    }
    onDifference(difference)
  }
}
