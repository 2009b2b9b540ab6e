// Mends a key that differs: the source's value is written to the destination at the place in the source's
// history where the destination is, and only if it is still there when that is done.
//
// Beside a running job this must not come between its commands: a value that is ahead of the checkpoint
// would get the commands up to its own place once more. So the checkpoint is watched while the value is
// read, and the source's key from before the checkpoint was read until after:
//
//   source        WATCH key · INFO → X1                                     MULTI · ask · EXEC
//   destination                    C ≥ X1 · WATCH checkpoint, key · C'                         MULTI · write · EXEC
//
// Both EXECs carried out: the key did not change between X1 and behind C', and the destination stands at C'.

import ReplicaLink

extension PairReader {
  /// So often mending a key is tried before it is given up.
  static let fixAttemptsMax = 200

  /// Makes the destination's key what the source's is.
  ///
  /// - Returns: false when the key or the job never rested long enough.
  /// - Throws: when the destination cannot hold the value, or a connection fails.
  mutating func fix(_ name: KeyName, _ encoder: RepairEncoder) throws(ReplayError) -> Bool {
    for attempt in 0..<Self.fixAttemptsMax {
      if try fixOnce(name, encoder) { return true }
      try progress.pause(milliseconds: Int64.random(in: 0...(2 << Int64(min(attempt, 6)))))
    }
    return false
  }

  private mutating func fixOnce(
    _ name: KeyName, _ encoder: RepairEncoder
  ) throws(ReplayError) -> Bool {
    let target = mapping.destination(of: name.database)
    try source.select(name.database)
    guard let first = try watchSource([name]) else { return false }
    var reached: UInt64 = 0
    if let job {
      guard try awaitCheckpoint(first, job) else { return try giveUpFixing() }
      try destination.select(job.database)
      _ = try destination.ask([Array("WATCH".utf8), job.identity.recordKey])
      let checkpoint = try destination.ask(Self.checkpoint(job))
      let repair = try destination.ask(
        [Array("SISMEMBER".utf8), job.identity.repairsKey, name.encoded])
      guard let offset = offset(checkpoint, in: first), offset >= first.offset,
        repair.integer == 0
      else { return try giveUpFixing() }
      reached = offset
    }
    try destination.select(target)
    _ = try destination.ask([Array("WATCH".utf8), mapping.destinationKey(of: name.key)])
    let commands = source.stateCommands(name.key)
    guard let answers = try Self.transact(commands + [Self.info], &source),
      let last = place(answers[commands.count]), last.replicationID == first.replicationID,
      last.offset >= reached
    else {
      _ = try destination.ask("UNWATCH")
      return false
    }
    let state = source.state(answers[..<commands.count])
    return try write(
      RepairValue(
        name: name, payload: state.payload, expiryMilliseconds: state.expiryMilliseconds,
        offset: last.offset), encoder)
  }

  private mutating func giveUpFixing() throws(ReplayError) -> Bool {
    _ = try source.ask("UNWATCH")
    _ = try destination.ask("UNWATCH")
    return false
  }

  /// Writes the value, unless what is watched at the destination was touched.
  private mutating func write(
    _ value: RepairValue, _ encoder: RepairEncoder
  ) throws(ReplayError) -> Bool {
    var buffer = ByteBuffer()
    let count = try encoder.append(value, to: &buffer)
    destination.connection.enqueue([Array("MULTI".utf8)])
    destination.connection.enqueue(encoded: buffer)
    destination.connection.enqueue([Array("EXEC".utf8)])
    for _ in 0...count {
      let reply = try destination.receive()
      if let line = reply.errorLine { throw refused(line, value) }
    }
    let answer = try destination.receive()
    if let line = answer.errorLine { throw refused(line, value) }
    guard let answers = answer.array else { return false }
    for answer in answers {
      if let line = answer.errorLine { throw refused(line, value) }
    }
    return true
  }

  private func refused(_ line: String, _ value: RepairValue) -> ReplayError {
    DestinationRefusal.error(
      line, command: "RESTORE", key: mapping.destinationKey(of: value.name.key), place: "",
      peer: destination.peer)
  }
}

extension Verifier {
  /// Mends what was found to differ, and compares it once more; what differs still is reported again, and
  /// is in `found` behind it.
  ///
  /// - Returns: how many keys were mended.
  mutating func fix() throws(ReplayError) -> UInt64 {
    let facts = pair.destination.facts
    let encoder = RepairEncoder(
      mapping: plan.mapping, types: RestorableTypes(facts), features: facts.commandFeatures)
    let broken = found
    found = []
    progress.update {
      $0.phase = .settling
      $0.differences = [:]
    }
    for difference in broken {
      if progress.isCancelled { throw .interrupted }
      if try pair.fix(difference.name, encoder) {
        book.add(Suspect(difference.name, bytes: 64))
      } else {
        onUndecided(difference.name)
        progress.update { $0.undecided += 1 }
      }
    }
    let tried = UInt64(book.count)
    try settle(all: true)
    let mended = tried - min(tried, UInt64(found.count))
    progress.update { $0.fixed += mended }
    return mended
  }
}
