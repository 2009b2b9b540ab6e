// A user's rights that a failed cutover could not give back: nothing else ever does, unlike a pause, which
// ends by itself. So it is tried for as long as the run lives, behind the cutover's report, and until it has
// come about there is no other cutover: that one would take the fenced rights for the user's own.

import ReplicaLink

extension Cutover {
  /// What a user of the source is still without, and how a person helps; nil when nobody is.
  var owedRights: String? {
    guard machine.failure != nil, fence?.mayBeUp == true, let (user, command) = fence?.remedy
    else { return nil }
    return
      "user \(LogLine.harmless(user)) of the source is still without the right to write what moves"
      + " (by hand: \(LogLine.harmless(command)))"
  }

  /// Tries until he has them, or the run is to stop.
  func giveRightsBack() {
    let notices = replays[0].progress.notices
    var pause = Backoff.forStream()
    while let owed = owedRights, !isStopRequested {
      do {
        try self.fence!.reconnect(
          subject.source, timeouts: subject.options.timeouts, interrupt: bell)
        _ = try lowerFence()
        notices.note("the user of --fence has his rights at the source again")
      } catch {
        notices.note(ofKind: "rights", "\(error); \(owed); trying again")
        wait(milliseconds: pause.next()) { false }
      }
    }
  }
}
