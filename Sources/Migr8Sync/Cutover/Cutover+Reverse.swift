// What a cutover with --reverse does besides, and the conditions of either direction.

import ReplicaLink

extension Cutover {
  /// Whether the job goes the way that is asked for; with --reverse, whether it can be turned round.
  func examineDirection() throws(CutoverError) {
    let isReverse = subject.options.isReverse
    if isReverse, !settings.isBack {
      throw CutoverError(
        "the application was handed over already, and this is the reverse (--back brings it back,"
          + " --complete ends the job)")
    }
    if !isReverse, settings.isBack {
      throw CutoverError("there is nothing to go back from (hand over with --reverse first)")
    }
    guard settings.reverses else { return }
    reversePlan = try Reverse.examine(
      subject.options, subject.identity, isAsking: settings.isDryRun)
    for warning in reversePlan?.findings.warnings ?? [] where !settings.isDryRun {
      replays[0].progress.notices.note("the reverse: \(warning.text)")
    }
  }

  /// Attaches to the destination.
  func attach() throws(CutoverError) -> String {
    guard let plan = reversePlan else { throw CutoverError("the reverse was not examined") }
    let reverse = try Reverse(plan, interrupt: bell)
    self.reverse = reverse
    return "the reverse is attached to \(subject.options.routes[0].destination.endpoint), at"
      + " \(reverse.place)"
  }

  /// Lets the reverse know where it begins, and the destination's record, too: whatever becomes of this
  /// process, the reverse can go on from there.
  func markReverse(_ end: DestinationEnds.End) throws(CutoverError) {
    guard let reverse else { return }
    let place = try reverse.begin(
      behindMarkOf: subject.identity, at: endPlace?.offset ?? 0,
      untilMilliseconds: (machine.fenceEndsMilliseconds ?? 0) - CutoverSettings.reserveMilliseconds)
    reversePlace = place
    let words =
      ["HSET", subject.identity.recordName, JobRecord.handOverFields[1], place.replicationID]
      + [JobRecord.handOverFields[2], "\(place.offset)"]
    do {
      _ = try DestinationReplay.ask(&end.record, words.map { Array($0.utf8) })
    } catch {
      throw CutoverError(error)
    }
  }

  /// Both servers' records say that the job has been turned round.
  func turn() throws(CutoverError) -> String {
    try reverse?.establish()
    return "the reverse begins behind offset \(reversePlace?.offset ?? 0) of the destination"
  }

  /// Lets the destination go.
  func detach() -> String {
    reverse?.abandon()
    reverse = nil
    return "the reverse is given up"
  }
}
