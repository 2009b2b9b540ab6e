// What following the stream does about keys that are not at the destination what they are at the source:
// asks for them, writes them when they are due, and finds out which they are.

import ReplicaLink

extension StreamReplay {
  /// Asks, hears and writes what is due; waits where the next command must. Nothing of it once a cutover
  /// relies on what is there: the keys may be the application's by now.
  mutating func serveRepairs(isIdle: Bool = false) throws(ReplayError) {
    if router.isInTransaction || unconfirmedEnd != nil || replay.host.gate.isSealed { return }
    try heal()
    if !router.repairs.isEmpty { try repair(isIdle) }
    if router.repairs.isEmpty { replay.progress.raiseCeiling() }
  }

  private mutating func repair(_ isIdle: Bool) throws(ReplayError) {
    commandsSinceExchange += 1
    var hasWaited = false
    while true {
      if isIdle || router.repairs.isBlocking || commandsSinceExchange > Self.commandsPerExchange {
        commandsSinceExchange = 0
        try repairs.exchange(
          &router.repairs, following: replay.feed.replicationID)
      }
      try writeDueRepairs()
      guard router.repairs.isBlocking else {
        if hasWaited { replay.progress.notices.goesOn() }
        return
      }
      try replay.throwIfOver()
      if let trouble = repairs.trouble {
        replay.progress.notices.waiting("\(trouble)")
        hasWaited = true
      }
      repairs.awaitAnswer()
    }
  }

  private mutating func writeDueRepairs() throws(ReplayError) {
    guard router.repairs.hasDue(at: lane.boundary) else { return }
    CrashPoint.repairing.pass()
    for value in router.repairs.takeDue(at: lane.boundary) {
      var commands = ByteBuffer()
      let count = try repairs.encode(value, to: &commands)
      let database = mapping.destination(of: value.name.database)
      try commands.withBytes { bytes throws(ReplayError) in
        try lane.forward(bytes, count: count, database: database, offset: lane.boundary)
      }
      try lane.sendIfFull()
      if value.mayExpire { router.mayExpire = true }
    }
    lane.note(router.repairs.takeChanges())
    if router.repairs.isEmpty { try lane.drain() }
  }

  /// A time to live that counts from a moment nobody knows: the command was written while the link was
  /// down. Only the source can tell when the key expires. With too many such keys theirs is too long, by
  /// at most the time the link was down.
  mutating func repairTimeToLive(_ start: UInt64) {
    guard replay.host.isLate(at: start) else { return }
    decoder.withCommand { (bytes, arguments) in
      router.repair(Span(_unsafeBytes: bytes), arguments: arguments.span, at: start)
    }
  }

  /// A command that the destination refused means that its keys are not as the source has them: they
  /// are read again.
  mutating func heal() throws(ReplayError) {
    let refusals = replay.progress.refusals
    var isForgotten = false
    for refused in refusals {
      let command = refused.command
      var names = router.keysRefused(command)
      if names.isEmpty { names = try keysAsked(command) }
      guard let error = refused.error else {
        if names.isEmpty, !command.isWhole { isForgotten = true }
        try repairDoubtful(names)
        continue
      }
      CrashPoint.refusalRead.pass()
      counts.countRefused()
      guard !names.isEmpty else {
        if isDoneAlready(command.arguments, error) { continue }
        // Nothing can be read again: a run that goes on behind it would never have it. What is no part of a
        // dataset a snapshot would not bring, either.
        var failure = ReplayError(error)
        failure.leavesGap = !Self.isOutsideDataset(command.arguments)
        throw failure
      }
      for name in names where !router.repairs.contains(name.key.span, database: name.database) {
        // A repair that is refused as well would go round for ever.
        if !router.mayFailAtSource(command.arguments) { healed[name, default: 0] += 1 }
        guard healed[name, default: 0] <= Self.healingsMax else {
          throw ReplayError("\(error), though the key was read again several times")
        }
      }
      try requestRepairs(names)
      replay.progress.notices.note("\(error); the key is read again from the source")
    }
    if isForgotten { try lookAgain() }
    if router.repairs.hasChanges { noteRepairs() }
    replay.progress.dealtWithRefusals(refusals.count)
  }

  /// A transaction was too large to remember which of its commands are doubtful. The record calls nothing
  /// confirmed from its beginning on: the next session passes over it, and doubts all that may be doubted.
  private func lookAgain() throws(ReplayError) {
    replay.progress.notices.note(
      "keys may have expired at the destination before commands on them arrived, in a transaction too"
        + " large to tell which (it ends before offset \(lane.boundary)): what it changed is read"
        + " again from the source")
    throw ReplayError("a transaction is to be looked at again", .restart)
  }

  /// The keys of a command that nothing but the source can tell. Such a one passes only where no name changes.
  private mutating func keysAsked(_ command: SentCommand) throws(ReplayError) -> [KeyName] {
    let name = command.arguments[0]
    let kind = name.withBytes { router.table.shape(named: Span(_unsafeBytes: $0))?.kind }
    guard kind == .asked, command.isWhole, let database = mapping.source(of: command.database)
    else { return [] }
    return (try repairs.keys(of: command.arguments) ?? []).map {
      KeyName(database: database, key: $0)
    }
  }

  /// Whether a refusal says that the destination is already what the command makes of it.
  private func isDoneAlready(_ arguments: [[UInt8]], _ error: String) -> Bool {
    let words = arguments.prefix(2).map { String(decoding: $0, as: UTF8.self).lowercased() }
    guard words.count == 2, words[0] == "function" else { return false }
    if words[1] == "delete" { return error.contains("Library not found") }
    // A function of that name is in another library already: of those that come behind it again.
    return resendsCode && error.contains("already exists")
  }

  private static func isOutsideDataset(_ arguments: [[UInt8]]) -> Bool {
    let name = String(decoding: arguments.first ?? [], as: UTF8.self).lowercased()
    return ["publish", "spublish", "script"].contains(name)
  }

  /// Keys that may have expired at the destination before commands on them arrived.
  private mutating func repairDoubtful(_ names: [KeyName]) throws(ReplayError) {
    if let name = names.first, router.repairs.isEmpty {
      replay.progress.notices.note(
        ofKind: "doubtful",
        "keys may have expired at the destination before commands on them arrived (\(name) is the"
          + " first): they are read again from the source")
    }
    try requestRepairs(names)
  }

  private mutating func requestRepairs(_ names: [KeyName]) throws(ReplayError) {
    for name in names where !router.repairs.request(name, atBoundary: lane.boundary) {
      try lane.drain()
      replay.requestSnapshot(
        "\(router.repairs.count) keys are waiting to be read again from the source, which is the"
          + " limit")
      throw ReplayError("a new snapshot is needed", .restart)
    }
    counts.countHealed(names.count)
  }

  /// Puts what came under repair into the next checkpoint. What is acknowledged is at the destination,
  /// repaired keys too: so nothing beyond this point is for the time being.
  mutating func noteRepairs() {
    lane.note(router.repairs.takeChanges())
    if router.repairs.isEmpty { return }
    replay.progress.lowerCeiling(to: lane.boundary)
  }

  // MARK: - Keys that expire

  /// When a command was written at the earliest, and whether it comes too late; that matters from the
  /// first key on that has a time to live.
  mutating func age(_ start: UInt64, _ end: UInt64) -> (written: Int64, isLate: Bool) {
    guard router.mayExpire, watchesExpiry else { return (.max, false) }
    return clock.read(start, end)
  }

  /// What to watch about the command that is to be sent next; a question about it is sent.
  mutating func watch(_ database: Int, _ end: UInt64) throws(ReplayError) -> ExpiryWatch {
    guard watchesExpiry else { return ExpiryWatch() }
    let watch = router.watch
    if !watch.question.isEmpty {
      try watch.question.withBytes { bytes throws(ReplayError) in
        try lane.forward(bytes, database: database, offset: end, expecting: .timeToLive)
      }
    }
    return watch
  }
}
