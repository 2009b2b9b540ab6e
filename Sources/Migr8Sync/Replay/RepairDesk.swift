// The replay's side of repairs: hands the book's questions to the fetcher's thread, brings the answers
// back, and encodes what is due. What needs repair and when it is due is the book's to know.

import RDBParser
import ReplicaLink

/// Serves one router's repair book. Used by the replay thread alone.
struct RepairDesk: ~Copyable {
  /// How long one wait for an answer may last before the run's other threads are asked how they are.
  private static let patienceMilliseconds: Int64 = 100

  private let fetcher: RepairFetcher
  private let thread: NamedThread
  private let encoder: RepairEncoder
  private var questions: KeyQuestion

  /// Starts the fetcher; it connects with the first question.
  init(_ replay: DestinationReplay) {
    let plan = replay.plan
    fetcher = RepairFetcher(
      source: { [locator = plan.sourceLocator, bell = replay.stopBell] () throws(LinkError) in
        try locator.locate(interrupt: bell)
      }, timeouts: plan.timeouts)
    thread = fetcher.start()
    encoder = RepairEncoder(
      mapping: plan.mapping, types: RestorableTypes(plan.facts),
      features: plan.facts?.commandFeatures ?? RDBCommandFeatures())
    questions = KeyQuestion(
      source: plan.sourceLocator, timeouts: plan.timeouts, interrupt: replay.stopBell)
  }

  /// Ends the fetcher.
  func end() {
    fetcher.stop()
    thread.join()
  }

  /// Asks for what the book needs, and enters what has been answered.
  ///
  /// - Parameter replicationID: the history that is followed.
  /// - Throws: when the source will not answer, whatever is tried.
  func exchange(
    _ book: inout RepairBook, following replicationID: String
  ) throws(ReplayError) {
    try fetcher.exchange(with: &book, following: replicationID)
  }

  /// Waits a moment for an answer.
  func awaitAnswer() {
    _ = fetcher.awaitAnswers(
      untilMilliseconds: Clock.monotonicMilliseconds() + Self.patienceMilliseconds)
  }

  /// Appends the commands that write a value; says how many there are.
  func encode(_ value: RepairValue, to buffer: inout ByteBuffer) throws(ReplayError) -> Int {
    try encoder.append(value, to: &buffer)
  }

  /// The keys of a command that nothing but the source can tell.
  mutating func keys(of command: [[UInt8]]) throws(ReplayError) -> [[UInt8]]? {
    do {
      return try questions.keys(of: command)
    } catch {
      throw ReplayError(error)
    }
  }

  /// What is in the way of the answers.
  var trouble: LinkError? { fetcher.trouble }
}
