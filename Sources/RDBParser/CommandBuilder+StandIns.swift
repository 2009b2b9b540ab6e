// Entries that are pending and have been deleted from their stream. XCLAIM passes over an id that the
// stream does not hold, but an entry deleted after it was claimed stays pending. So one with the deleted
// entry's id stands in for it:
//
//   XADD key 5-1 x y       in its place among the entries
//   XCLAIM key … 5-1 …     like all pending entries
//   XTRIM key MINID 7-1    those before the first entry: trimming leaves the largest deleted id alone
//   XDEL key 8-1 …         the others: the source has deleted them one by one too
//   XSETID key …           the stream's counters, which all that has moved

extension CommandBuilder {
  /// Puts the ids in the order of entries, each once.
  mutating func sortPendingIDs() {
    pendingIDs.sort()
    var kept = 0
    // No entry can have the id zero.
    var last = RDBStreamID.zero
    for id in pendingIDs where id != last {
      pendingIDs[kept] = id
      kept += 1
      last = id
    }
    pendingIDs.removeSubrange(kept...)
  }

  /// Notes that an entry comes, and adds stand-ins for what is missing before it.
  mutating func passEntry(_ id: RDBStreamID) {
    addStandIns { $0 < id }
    if pendingIndex < pendingIDs.count && pendingIDs[pendingIndex] == id { pendingIndex += 1 }
    if firstEntryID == nil { firstEntryID = id }
  }

  /// Adds stand-ins for the next pending ids, as long as `isDue` says.
  mutating func addStandIns(while isDue: (RDBStreamID) -> Bool) {
    while pendingIndex < pendingIDs.count, isDue(pendingIDs[pendingIndex]) {
      let id = pendingIDs[pendingIndex]
      pendingIndex += 1
      standIns.append(id)
      hasStreamEntries = true
      command("XADD", count: 3)
      idArgument(id)
      Self.argument("x", to: &output)
      Self.argument("y", to: &output)
    }
  }

  /// Takes the stand-ins out again, once everything is claimed.
  mutating func removeStandIns(_ info: RDBStreamInfo) {
    guard !standIns.isEmpty else { return }
    guard let firstEntryID else {
      command("XTRIM", count: 2)
      Self.argument("MAXLEN", to: &output)
      Self.argument("0", to: &output)
      return setID(info)
    }
    // Before 7.0 there is no MINID, and no largest deleted id either.
    let inner = standIns.drop { options.features.streamCounters && $0 < firstEntryID }
    if inner.count < standIns.count {
      command("XTRIM", count: 2)
      Self.argument("MINID", to: &output)
      idArgument(firstEntryID)
    }
    var start = inner.startIndex
    while start < inner.endIndex {
      let end = min(start + options.commandElementsMax, inner.endIndex)
      command("XDEL", count: end - start)
      for id in inner[start..<end] { idArgument(id) }
      start = end
    }
    setID(info)
  }
}
