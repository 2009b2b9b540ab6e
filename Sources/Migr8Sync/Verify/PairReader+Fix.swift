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
  /// So often the job may not come to where the source was, `patienceMilliseconds` each, before it counts as
  /// standing still.
  static let standstillsMax = 3
  /// Values of more are not mended, in bytes of the source's memory: DUMP says them in one string, which has
  /// this bound at every server.
  static let fixBytesMax: UInt64 = 512 << 20

  /// What mending a key came to.
  enum Mending: Sendable {
    case done
    /// The key or the job did not rest.
    case restless
    /// The job does not come to where the source is.
    case behind
    /// The destination cannot hold the value, in words.
    case impossible(String)
  }

  /// Makes the destination's key what the source's is.
  ///
  /// - Throws: what concerns more than this key: a connection that fails, a right that is missing.
  mutating func fix(_ name: KeyName, _ encoder: RepairEncoder) throws(ReplayError) -> Mending {
    try source.select(name.database)
    source.enqueueSize(name.key)
    if let size = try source.receiveSize(name.key), source.knowsMemory, size > Self.fixBytesMax {
      return .impossible("a value of \(HumanNumber.bytes(size)) does not fit into one RESTORE")
    }
    var standstills = 0
    for attempt in 0..<Self.fixAttemptsMax {
      let mending = try fixOnce(name, encoder)
      if case .behind = mending {
        standstills += 1
        guard standstills < Self.standstillsMax else {
          throw ReplayError(
            "mending \(name): the job's checkpoint at \(destination.peer) does not come to where the source is"
              + " (start the job again, or resume it)")
        }
        continue
      }
      guard case .restless = mending else { return mending }
      try progress.pause(milliseconds: Int64.random(in: 0...(2 << Int64(min(attempt, 6)))))
    }
    return .restless
  }

  private mutating func fixOnce(
    _ name: KeyName, _ encoder: RepairEncoder
  ) throws(ReplayError) -> Mending {
    let target = mapping.destination(of: name.database)
    let watch = Array("WATCH".utf8)
    let watchKey = [watch, mapping.destinationKey(of: name.key)]
    try source.select(name.database)
    guard let first = try watchSource([name]) else { return .restless }
    var reached: UInt64 = 0
    if let job {
      guard try awaitCheckpoint(first, job) else {
        _ = try giveUpFixing()
        return .behind
      }
      try destination.select(job.database)
      // In one go: every checkpoint that the job writes meanwhile is one that was watched in vain.
      let asked = try destination.askAll(
        [
          [watch, job.identity.recordKey], Self.checkpoint(job),
          [Array("SISMEMBER".utf8), job.identity.repairsKey, name.encoded],
        ], selecting: target, [watchKey])
      guard let offset = offset(asked[1], reaching: first), asked[2].integer == 0 else {
        return try giveUpFixing()
      }
      reached = offset
    } else {
      try destination.select(target)
      _ = try destination.ask(watchKey)
    }
    let commands = source.stateCommands(name.key)
    guard let answers = try Self.transact(commands + [Self.info], &source),
      let last = place(answers[commands.count]), last.replicationID == first.replicationID,
      last.offset >= reached
    else {
      _ = try destination.ask("UNWATCH")
      return .restless
    }
    let state = source.state(answers[..<commands.count])
    return try write(
      RepairValue(
        name: name, payload: state.payload, expiryMilliseconds: state.expiryMilliseconds,
        offset: last.offset), encoder)
  }

  private mutating func giveUpFixing() throws(ReplayError) -> Mending {
    _ = try source.ask("UNWATCH")
    _ = try destination.ask("UNWATCH")
    return .restless
  }

  /// Writes the value, unless what is watched at the destination was touched.
  private mutating func write(
    _ value: RepairValue, _ encoder: RepairEncoder
  ) throws(ReplayError) -> Mending {
    var buffer = ByteBuffer()
    let count: Int
    do throws(ReplayError) {
      count = try encoder.append(value, to: &buffer)
    } catch {
      _ = try destination.ask("UNWATCH")
      return .impossible("\(error)")
    }
    destination.connection.enqueue([Array("MULTI".utf8)])
    destination.connection.enqueue(encoded: buffer)
    destination.connection.enqueue([Array("EXEC".utf8)])
    var refusal: String?
    for _ in 0...count {
      let line = try destination.receive().errorLine
      refusal = refusal ?? line
    }
    let answer = try destination.receive()
    refusal = refusal ?? answer.errorLine ?? answer.array?.lazy.compactMap(\.errorLine).first
    guard let refusal else { return answer.array == nil ? .restless : .done }
    let error = DestinationRefusal.error(
      refusal, command: "RESTORE", key: mapping.destinationKey(of: value.name.key), place: "",
      peer: destination.peer)
    // A refusal with a word of its own is about the server, or the user.
    guard refusal.hasPrefix("ERR") else { throw error }
    return .impossible("\(error)")
  }
}

extension Verifier {
  /// Mends what was found to differ, and compares it once more; what differs still, and what could not be
  /// mended, is reported again, and is in `found` behind it.
  ///
  /// - Returns: how many keys were mended.
  mutating func fix() throws(ReplayError) -> UInt64 {
    let facts = pair.destination.facts
    let encoder = RepairEncoder(
      mapping: plan.mapping, types: RestorableTypes(facts), features: facts.commandFeatures)
    let broken = found
    let others = otherDifferences
    found = []
    progress.update {
      $0.phase = .settling
      $0.differences = others
    }
    let before = progress.snapshot
    var (written, unmended) = (0, 0)
    for (index, difference) in broken.enumerated() {
      if progress.isCancelled { throw .interrupted }
      switch try pair.fix(difference.name, encoder) {
      case .done:
        written += 1
        book.add(Suspect(difference.name, page: page))
      case .restless, .behind:
        unmended += 1
        report(difference.name, difference.cause, "not mended: it never rested")
      case .impossible(let reason):
        unmended += 1
        report(difference.name, difference.cause, "cannot be mended: \(reason)")
      }
      if book.count == SuspectBook.groupMax || index == broken.count - 1 {
        try settle(all: true)
        let differing = found.count - unmended
        progress.update {
          let undecided = Int(clamping: $0.undecided - before.undecided)
          $0.fixed = before.fixed + UInt64(clamping: written - differing - undecided)
        }
      }
    }
    return progress.snapshot.fixed - before.fixed
  }
}
