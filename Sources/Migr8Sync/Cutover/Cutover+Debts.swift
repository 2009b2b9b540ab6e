// What a failed cutover could not take back: the rights of a user, and the mark in a destination's record.
// Nothing else ever does, unlike with a pause, which ends by itself. So it is tried for as long as the run
// lives, behind the cutover's report, and until it has come about there is no other cutover: that one would
// take the fenced rights for the user's own, and lose its mark to this one.

import ReplicaLink

extension Cutover {
  /// What is still to be taken back, and how a person helps; nil when nothing is.
  var owed: String? {
    let debts = [owedRights, owedMarks].compactMap(\.self)
    return debts.isEmpty ? nil : debts.joined(separator: "; ")
  }

  /// What a user of the source is still without.
  var owedRights: String? {
    guard machine.failure != nil, fence?.mayBeUp == true, let (user, command) = fence?.remedy
    else { return nil }
    return
      "user \(LogLine.harmless(user)) of the source is still without the right to write what moves"
      + " (by hand: \(LogLine.harmless(command)))"
  }

  /// Which records still say that the application is being handed over.
  private var owedMarks: String? {
    let marked = zip(replays, ends.ends).filter { $1.isMarked }.map { $0.0.plan.address }
    guard machine.failure != nil, !marked.isEmpty else { return nil }
    return
      "the record at \(marked.joined(separator: ", ")) may still say that the application is being handed"
      + " over, which it is not (a later sync asks for --not-handed-over)"
  }

  /// Tries until nothing is owed any more, or the run is to stop.
  func payDebts() {
    var pause = Backoff.forStream()
    while owed != nil, !isStopRequested {
      if owedRights != nil {
        pay("the user of --fence has his rights at the source again") { () throws(CutoverError) in
          try self.fence!.reconnect(
            subject.source, timeouts: subject.options.timeouts, interrupt: bell)
          _ = try lowerFence()
        }
      }
      if owedMarks != nil {
        pay("the destinations know that nobody was handed over") { () throws(CutoverError) in
          _ = try unmark()
        }
      }
      if owed != nil { wait(milliseconds: pause.next()) { false } }
    }
  }

  private func pay(_ outcome: String, _ step: () throws(CutoverError) -> Void) {
    let notices = replays[0].progress.notices
    do throws(CutoverError) {
      try step()
      notices.note(outcome)
    } catch {
      notices.note(ofKind: "debt", "\(error); \(owed ?? ""); trying again")
    }
  }
}
