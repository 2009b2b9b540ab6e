// RepairFetcher: asks the source about keys under repair, on an ordinary connection and a thread of
// its own. It connects when there is something to ask, and again when the connection is lost: a
// question is asked until it is answered. What no waiting can mend is its failure.
//
// Memory: DUMP makes the whole value at the source, and the reply is held whole here. So many keys go into
// one question as the last answers were small: at first one, at most `keysPerQuestionMax`. At most
// `pipelinedMax` questions are out at once, and no more are asked while answers of `untakenBytesMax`
// wait to be taken.

import ReplicaLink

/// Fetches values with their offsets.
///
/// `@unchecked Sendable`: all state is only touched while `monitor` is held, but for the connection,
/// which lives in the thread's own function.
final class RepairFetcher: @unchecked Sendable {
  /// Questions sent before the first is answered.
  static let pipelinedMax = 8
  /// Keys of one question.
  static let keysPerQuestionMax = 64
  /// Answers to a question that take more bytes than this make the next ones smaller; such as take less
  /// than half, larger.
  static let answerBytesMax = 256 << 10
  /// Keys in the queue beyond which `hasRoom` says no.
  static let queuedMax = 1024
  /// Answers nobody has taken yet, in bytes, beyond which no question is asked.
  static let untakenBytesMax = 64 << 20
  /// The longest value that one RESTORE can carry: the servers' default proto-max-bulk-len, in bytes.
  static let valueBytesMax = 512 << 20
  /// How long a stop may go unnoticed while a reply is awaited.
  static let sliceMilliseconds: Int64 = 1_000
  /// How long to wait before a key that is about to expire at a replica is asked for again.
  static let unsettledMilliseconds: Int64 = 20

  private let source: @Sendable () throws(LinkError) -> RedisURL
  private let timeouts: Timeouts
  private let monitor = Monitor()
  private var questions: [KeyName] = []
  private var answers: [RepairAnswer] = []
  private var untakenBytes = 0
  private var isStopping = false
  /// Whether the last answers were of another history.
  private var isElsewhere = false
  /// Whether the present batch had such an answer.
  private var isUnsettled = false
  private var keysPerQuestion = 1
  private var lastTrouble: LinkError?
  private var finalError: LinkError?

  /// - Parameter source: where to connect, asked before every attempt; the server whose stream is followed.
  init(source: @escaping @Sendable () throws(LinkError) -> RedisURL, timeouts: Timeouts) {
    self.source = source
    self.timeouts = timeouts
  }

  // MARK: - For the lane

  /// Starts the thread.
  func start() -> NamedThread {
    NamedThread("repair") { [self] in run() }
  }

  /// Ends the thread, within a second or the time it takes to give up connecting.
  func stop() {
    monitor.withLock {
      isStopping = true
      monitor.broadcast()
    }
  }

  /// Carries questions from a book to the source and answers back. Never waits.
  ///
  /// - Parameter replicationID: the history that is followed.
  /// - Throws: the failure.
  func exchange(
    with book: inout RepairBook, following replicationID: String
  ) throws(ReplayError) {
    for answer in takeAnswers() {
      book.answered(answer, following: replicationID)
      if answer.replicationID != replicationID { distrust() }
    }
    if hasRoom { ask(book.takeNeeded(limit: Self.queuedMax)) }
    if let failure { throw ReplayError(failure) }
  }

  /// Whether more should be asked now: what is urgent then does not wait behind a long queue.
  var hasRoom: Bool { monitor.withLock { questions.count < Self.queuedMax } }

  /// Asks about these keys. Each is answered once.
  func ask(_ names: [KeyName]) {
    if names.isEmpty { return }
    monitor.withLock {
      questions += names
      monitor.broadcast()
    }
  }

  /// What has been answered since the last time.
  func takeAnswers() -> [RepairAnswer] {
    monitor.withLock {
      defer {
        answers = []
        untakenBytes = 0
        monitor.broadcast()
      }
      return answers
    }
  }

  /// Waits for an answer or the failure.
  ///
  /// - Returns: false when there is neither at the deadline, on the monotonic clock.
  func awaitAnswers(untilMilliseconds deadline: Int64) -> Bool {
    monitor.withLock {
      while answers.isEmpty && finalError == nil {
        if !monitor.wait(untilMilliseconds: deadline) { return false }
      }
      return true
    }
  }

  /// Why no more questions are answered: something that only the operator can mend.
  var failure: LinkError? { monitor.withLock { finalError } }

  /// What is in the way at present, while it is being tried again; for the display.
  var trouble: LinkError? { monitor.withLock { lastTrouble } }

  /// The server that answers has another history than the one that is followed: perhaps the source has moved,
  /// and is to be looked for again.
  private func distrust() {
    monitor.withLock { isElsewhere = true }
  }

  // MARK: - The thread

  private func run() {
    var connection: Connected?
    var wait = Backoff.forRepair()
    while let batch = nextBatch() {
      if let peer = connection?.connection.peer, takeDistrust(of: peer) {
        connection = nil
        guard pause(wait.next()) else { return }
      }
      do throws(LinkError) {
        connection = try ask(batch, on: connection.take())
        wait.reset()
        if monitor.withLock({ isUnsettled }) {
          guard pause(Self.unsettledMilliseconds) else { return }
        }
      } catch {
        connection = nil
        guard isWorthRetrying(error) else { return fail(error) }
        monitor.withLock { lastTrouble = error }
        guard pause(wait.next()) else { return }
      }
    }
  }

  /// The next questions, which stay in the list until they are answered; nil to stop.
  private func nextBatch() -> [KeyName]? {
    monitor.withLock {
      while !isStopping && (questions.isEmpty || untakenBytes >= Self.untakenBytesMax) {
        monitor.wait()
      }
      isUnsettled = false
      return isStopping ? nil : Array(questions.prefix(Self.pipelinedMax * keysPerQuestion))
    }
  }

  private func takeDistrust(of peer: String) -> Bool {
    monitor.withLock {
      guard isElsewhere else { return false }
      isElsewhere = false
      lastTrouble = LinkError(
        .closed, "reading keys again from \(peer)",
        "it has another history than the source that is followed")
      return true
    }
  }

  private func isWorthRetrying(_ error: LinkError) -> Bool {
    error.isRetryable || error.code == .unresolvable || error.reason.contains("BUSY ")
      || error.reason.contains("CLUSTERDOWN ")
  }

  private func fail(_ error: LinkError) {
    monitor.withLock {
      finalError = error
      monitor.broadcast()
    }
  }

  /// False when a stop was asked for.
  private func pause(_ milliseconds: Int64) -> Bool {
    let deadline = Clock.monotonicMilliseconds() + milliseconds
    return monitor.withLock {
      while !isStopping, monitor.wait(untilMilliseconds: deadline) {}
      return !isStopping
    }
  }

  private func deliver(_ delivered: [RepairAnswer]) {
    let byteCount = delivered.reduce(0) { $0 + ($1.value.payload?.count ?? 0) }
    monitor.withLock {
      questions.removeFirst(delivered.count)
      isUnsettled = isUnsettled || delivered.contains { !$0.isSettled }
      answers += delivered
      untakenBytes += byteCount
      if byteCount > Self.answerBytesMax {
        keysPerQuestion = max(1, keysPerQuestion / 4)
      } else if byteCount < Self.answerBytesMax / 2 {
        keysPerQuestion = min(Self.keysPerQuestionMax, keysPerQuestion * 2)
      }
      lastTrouble = nil
      monitor.broadcast()
    }
  }

  // MARK: - Talking to the source

  private struct Connected: ~Copyable {
    var connection: RedisConnection
    let question: RepairQuestion
    var database = 0
  }

  private func connect() throws(LinkError) -> Connected {
    let slices = Timeouts(
      connectMilliseconds: timeouts.connectMilliseconds, ioMilliseconds: Self.sliceMilliseconds)
    var connection = try RedisConnection.open(try source(), timeouts: slices)
    guard let facts = try ServerFacts.read(&connection) else {
      throw LinkError(
        .permission, "reading keys again from \(connection.peer)", "INFO is not permitted",
        advice: "grant the source's user +info +multi +exec +select +dump +pttl +pexpiretime +time"
          + " +memory|usage")
    }
    return Connected(connection: connection, question: RepairQuestion(facts))
  }

  /// Asks on the connection, or on a new one, and gives it back.
  private func ask(
    _ names: [KeyName], on connection: consuming Connected?
  ) throws(LinkError) -> Connected {
    var present: Connected
    if let open = connection.take() { present = open } else { present = try connect() }
    let groups = groups(names)
    var database = present.database
    for group in groups {
      if group[0].database != database {
        database = group[0].database
        present.connection.enqueue([Array("SELECT".utf8), Array("\(database)".utf8)])
      }
      for command in present.question.commands(for: group.map(\.key)) {
        present.connection.enqueue(command)
      }
    }
    for group in groups {
      if group[0].database != present.database {
        try check(try receive(&present, group[0]), group[0], present.connection.peer)
        present.database = group[0].database
      }
      deliver(try answers(&present, group))
    }
    return present
  }

  /// The keys of each question: neighbours of one database.
  private func groups(_ names: [KeyName]) -> [[KeyName]] {
    let countMax = monitor.withLock { keysPerQuestion }
    var groups: [[KeyName]] = []
    for name in names {
      if let last = groups.last, last.count < countMax, last[0].database == name.database {
        groups[groups.count - 1].append(name)
      } else {
        groups.append([name])
      }
    }
    return groups
  }

  private func answers(
    _ present: inout Connected, _ names: [KeyName]
  ) throws(LinkError) -> [RepairAnswer] {
    let peer = present.connection.peer
    for _ in 1..<present.question.commandCount(for: names.count) {
      try check(try receive(&present, names[0]), names[0], peer)
    }
    let reply = try receive(&present, names[0])
    try check(reply, names[0], peer)
    for part in reply.array ?? [] { try check(part, names[0], peer) }
    guard let answers = present.question.answers(reply, for: names) else {
      throw LinkError(
        .rejected, action(names[0], peer), "the answer makes no sense",
        advice: "is it a Redis or Valkey server?")
    }
    for answer in answers {
      if !answer.isSettled, !present.question.asksPresence {
        throw LinkError(.closed, action(answer.value.name, peer), "the server has become a replica")
      }
      if let payload = answer.value.payload, payload.count > Self.valueBytesMax {
        throw tooLarge(answer.value.name, peer, "its value takes \(payload.count) bytes")
      }
    }
    return answers
  }

  private func check(_ reply: RESPValue, _ name: KeyName, _ peer: String) throws(LinkError) {
    if let line = reply.errorLine {
      throw ServerRefusal.error(line, action: action(name, peer))
    }
  }

  /// One reply, in slices of patience so that a stop is noticed.
  private func receive(
    _ present: inout Connected, _ name: KeyName
  ) throws(LinkError) -> RESPValue {
    let deadline = Clock.monotonicMilliseconds() + timeouts.ioMilliseconds
    while true {
      do throws(LinkError) {
        return try present.connection.receive()
      } catch {
        switch error.code {
        case .timedOut where Clock.monotonicMilliseconds() < deadline:
          if monitor.withLock({ isStopping }) {
            throw LinkError(.stopped, error.action, "this program asked to stop")
          }
        case .notRedis, .protocolViolation:
          throw tooLarge(name, present.connection.peer, error.reason)
        default:
          throw error
        }
      }
    }
  }

  private func action(_ name: KeyName, _ peer: String) -> String {
    "reading key \(name) again from \(peer)"
  }

  private func tooLarge(_ name: KeyName, _ peer: String, _ reason: String) -> LinkError {
    LinkError(
      .rejected, action(name, peer), reason,
      advice:
        "no RESTORE can carry more than \(Self.valueBytesMax >> 20) MB: leave the key out of the"
        + " filter")
  }
}
