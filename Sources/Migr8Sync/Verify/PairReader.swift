// Reads the same keys of both ends as they are at one place of the source's history, so that what
// differs then really differs.
//
//   source        WATCH keys · INFO  → X1                        MULTI · ask · INFO → X2 · EXEC
//   destination                      wait for C ≥ X1 · MULTI · checkpoint C · ask · EXEC
//
// C is up to where the job has read the replies, too: a command that was refused before that has its key under
// repair. When that EXEC is carried out, nobody touched the keys at the source between X1 and X2: what was read is
// their state at C, too, which is where the destination was. When it is not, the keys changed meanwhile and
// nothing is known; whoever asks tries again, with fewer keys.
//
// Without a job nobody says where the destination is. Then the keys are watched at both ends for a while
// (`settleMilliseconds`): what neither end touched in that time, and differs, is not on its way.

import ReplicaLink

/// Both ends of a comparison.
struct PairReader: ~Copyable {
  /// What reading both came to.
  enum Reading: Sendable {
    /// The answers to the two lists of commands.
    case answers(source: [RESPValue], destination: [RESPValue])
    /// The keys changed meanwhile.
    case changed
    /// Nothing is known of them: they are under repair at the destination, or the source, a replica, is behind.
    case unready
    /// The destination does not come to where the source was.
    case behind
  }

  /// How long the destination may need to come to where the source was, in milliseconds.
  static let patienceMilliseconds: Int64 = 10_000
  private static let pollMilliseconds: Int64 = 5

  var source: VerifyEnd
  var destination: VerifyEnd
  let mapping: KeyMapping
  let job: VerifiedJob?
  let settleMilliseconds: Int64
  let rules: ComparisonRules
  let progress: VerifyProgress

  /// The place in the source's history that an INFO told.
  struct Place {
    var replicationID: String
    var offset: UInt64
  }

  /// Asks both ends.
  ///
  /// - Parameters:
  ///   - names: the keys that the commands read, all of one db.
  ///   - commands: what to ask the source, and the destination.
  mutating func read(
    _ names: [KeyName], source commands: [[[UInt8]]], destination others: [[[UInt8]]]
  ) throws(ReplayError) -> Reading {
    guard let database = names.first?.database else { return .changed }
    let target = mapping.destination(of: database)
    try source.select(database)
    guard let first = try watchSource(names) else { return .changed }
    let theirs: [RESPValue]
    var reached: UInt64 = 0
    if let job {
      guard try awaitCheckpoint(first, job) else { return try giveUp(.behind) }
      guard let answers = try ask(others, names, job, target, first) else {
        return try giveUp(.unready)
      }
      theirs = answers.replies
      reached = answers.offset
    } else {
      guard let answers = try askQuietly(others, names, target) else {
        return try giveUp(.changed)
      }
      theirs = answers
    }
    guard let mine = try Self.transact(commands + [Self.info], &source) else { return .changed }
    // A replica as the source may be behind the destination.
    guard let last = place(mine[commands.count]), last.replicationID == first.replicationID,
      last.offset >= reached
    else { return .unready }
    return .answers(source: Array(mine.dropLast()), destination: theirs)
  }

  private mutating func giveUp(_ reading: Reading) throws(ReplayError) -> Reading {
    _ = try source.ask("UNWATCH")
    return reading
  }

  static let info = ["INFO", "replication"].map { Array($0.utf8) }

  /// Watches keys at the source and asks where it is.
  mutating func watchSource(_ names: [KeyName]) throws(ReplayError) -> Place? {
    let watch = [Array("WATCH".utf8)] + names.map(\.key)
    source.connection.enqueue(watch)
    source.connection.enqueue(Self.info)
    _ = try source.receive(watch)
    let reply = try source.receive(Self.info)
    if let place = place(reply) { return place }
    _ = try source.ask("UNWATCH")
    throw ReplayError(
      "comparing with \(source.peer): INFO replication does not say where the source is")
  }

  func place(_ reply: RESPValue) -> Place? {
    let facts = ServerFacts(info: reply.text ?? "")
    guard let offset = facts.isReplica ? facts.appliedOffset : facts.replicationOffset,
      let id = facts.replicationID
    else { return nil }
    return Place(replicationID: id, offset: offset)
  }

  /// Carries commands out in one transaction; nil when a watched key was touched.
  static func transact(
    _ commands: [[[UInt8]]], _ end: inout VerifyEnd
  ) throws(ReplayError) -> [RESPValue]? {
    end.connection.enqueue([Array("MULTI".utf8)])
    for command in commands { end.connection.enqueue(command) }
    let exec = [Array("EXEC".utf8)]
    end.connection.enqueue(exec)
    for command in [[Array("MULTI".utf8)]] + commands { _ = try end.receive(command) }
    guard let answers = try end.receive(exec).array, answers.count == commands.count else {
      return nil
    }
    for (answer, command) in zip(answers, commands) {
      if let line = answer.errorLine { throw end.refusal(line, command) }
    }
    return answers
  }

  // MARK: - Beside a job

  /// Waits until the destination has come to a place; false when it does not.
  mutating func awaitCheckpoint(
    _ place: Place, _ job: VerifiedJob
  ) throws(ReplayError) -> Bool {
    let deadline = Clock.monotonicMilliseconds() + Self.patienceMilliseconds
    while true {
      try destination.select(job.database)
      let reply = try destination.ask(Self.checkpoint(job))
      if offset(reply, reaching: place) != nil { return true }
      if Clock.monotonicMilliseconds() > deadline { return false }
      try progress.pause(milliseconds: Self.pollMilliseconds)
    }
  }

  static func checkpoint(_ job: VerifiedJob) -> [[UInt8]] {
    [Array("HMGET".utf8), job.identity.recordKey]
      + ["replid", "phase", "offset", "confirmed"].map { Array($0.utf8) }
  }

  /// The offset up to which a checkpoint says that all is applied. Nil when it is of another history, means
  /// nothing yet, or has not come to `place` with the replies read, too: what was refused since is made good
  /// later, and its key may not be under repair yet.
  func offset(_ checkpoint: RESPValue, reaching place: Place) -> UInt64? {
    guard let fields = checkpoint.array, fields.count == 4,
      fields[0].text == place.replicationID, fields[1].text == JobRecord.Phase.stream.rawValue,
      let offset = fields[2].text.flatMap({ UInt64($0) })
    else { return nil }
    let confirmed = fields[3].text.flatMap { UInt64($0) } ?? offset
    return min(offset, confirmed) >= place.offset ? offset : nil
  }

  /// Reads the destination and its checkpoint at once; nil when a key is under repair there.
  private mutating func ask(
    _ commands: [[[UInt8]]], _ names: [KeyName], _ job: VerifiedJob, _ target: Int,
    _ place: Place
  ) throws(ReplayError) -> (replies: [RESPValue], offset: UInt64)? {
    try destination.select(job.database)
    let back = [Array("SELECT".utf8), Array("\(job.database)".utf8)]
    let repairs = names.map { name in
      [Array("SISMEMBER".utf8), job.identity.repairsKey, name.encoded]
    }
    let all =
      [Self.checkpoint(job)] + repairs + [[back[0], Array("\(target)".utf8)]] + commands + [back]
    guard let answers = try Self.transact(all, &destination),
      let offset = offset(answers[0], reaching: place)
    else { return nil }
    for answer in answers[1..<1 + names.count] where answer.integer != 0 { return nil }
    return (Array(answers[(names.count + 2)..<(answers.count - 1)]), offset)
  }

  // MARK: - Without one

  /// Reads the destination after a time in which nobody touched the keys there; nil when somebody did.
  private mutating func askQuietly(
    _ commands: [[[UInt8]]], _ names: [KeyName], _ target: Int
  ) throws(ReplayError) -> [RESPValue]? {
    try destination.select(target)
    _ = try destination.ask(
      [Array("WATCH".utf8)] + names.map { mapping.destinationKey(of: $0.key) })
    try progress.pause(milliseconds: settleMilliseconds)
    return try Self.transact(commands, &destination)
  }
}
