// The order of a cutover, and the way back from each point of it. No I/O: told how each step ended, it
// says which one is next.
//
//   examine · observe · ready · postpone · attach · fence · drain · check · mark · switch · lift ·
//                                                           carry · turn · settle · finish
//                                            │                                 │
//              any failure up to here ───────┴── lower · reopen · unmark · detach · tell · give up
//
// `switch`, the operator's hook, is the hand-over: behind it there is no way back, and what fails then
// is reported and no more.

/// What is done, one after the other.
enum CutoverStep: String, Sendable, CaseIterable {
  // The way there.
  /// Is everything in order? Connections are opened, so that none is in the fence.
  case examine
  /// Changed keys are gathered for the last check.
  case observe
  /// The operator's hook: it could begin.
  case ready
  /// Waits while the operator's file is there.
  case postpone
  /// The reverse's link is attached to the destination, and will miss nothing.
  case attach
  /// No writer gets through any more; the end of the stream is known.
  case fence
  /// Everything up to that end is applied, everywhere.
  case drain
  /// The keys that changed last are compared.
  case check
  /// The destinations know that the hand-over has begun.
  case mark
  /// The operator's hook: the application moves over.
  case handOver = "switch"
  /// The source takes writes again.
  case lift
  /// Writes that had waited are brought over behind the application.
  case carry
  /// The records at both ends say that the job has been turned round.
  case turn
  /// Writes that still came to the source are found.
  case settle
  /// All is said; the job ends.
  case finish

  // The way back.
  case unmark
  case lower
  case reopen
  case detach
  case tell
  case giveUp = "give_up"
}

/// One cutover's place in that order.
struct CutoverMachine: Sendable {
  private static let way: [CutoverStep] = [
    .examine, .observe, .ready, .postpone, .attach, .fence, .drain, .check, .mark, .handOver, .lift,
    .carry, .turn, .settle, .finish,
  ]

  private var ahead: [CutoverStep]
  /// Whether a reverse follows.
  private let isReversed: Bool
  private(set) var step: CutoverStep
  /// When the fence falls by itself, on the driver's clock; nil outside of it.
  private(set) var fenceEndsMilliseconds: Int64?
  /// Why the cutover failed.
  private(set) var failure: String?
  /// What went wrong behind the hand-over, or on the way back.
  private(set) var troubles: [String] = []

  /// - Parameter hooks: the events for which the operator gave a command.
  init(_ settings: CutoverSettings) {
    isReversed = settings.reverses
    ahead = Self.way.filter { step in
      switch step {
      case .ready: settings.hooks[.ready] != nil
      case .observe, .check: settings.checkMilliseconds > 0
      case .postpone: settings.postponeFile != nil
      case .attach, .turn: settings.reverses
      case .carry: settings.queued == .carry
      case .handOver: settings.hooks[.cutover] != nil
      default: true
      }
    }
    step = ahead.removeFirst()
  }

  /// Whether the application has been handed over.
  var isHandedOver: Bool { failure == nil && !ahead.contains(.lift) }

  /// The source's writers are held off from now on, until then at the latest.
  mutating func fenceBegins(endsMilliseconds: Int64) { fenceEndsMilliseconds = endsMilliseconds }

  /// The present step is done; the next one.
  mutating func succeeded(nowMilliseconds: Int64) -> CutoverStep {
    guard let next = ahead.first else { return step }
    // Without a hook the mark is the last thing before the lift: it is the hand-over then.
    let begins = next == .handOver || (next == .lift && step == .mark)
    if begins, failure == nil, let end = fenceEndsMilliseconds,
      end - nowMilliseconds < CutoverSettings.reserveMilliseconds
    {
      return failed("only \(max(0, end - nowMilliseconds)) ms of the fence are left", at: next)
    }
    ahead.removeFirst()
    step = next
    return step
  }

  /// The present step has failed; the next one.
  mutating func failed(_ reason: String, nowMilliseconds: Int64) -> CutoverStep {
    if failure != nil || isHandedOver, step != .handOver {
      troubles.append("\(step.rawValue): \(reason)")
      return succeeded(nowMilliseconds: nowMilliseconds)
    }
    return failed(reason, at: step)
  }

  /// Turns round: everything that was begun is taken back, the last thing first.
  private mutating func failed(_ reason: String, at failed: CutoverStep) -> CutoverStep {
    failure = "\(failed.rawValue): \(reason)"
    let reached = Self.way.firstIndex(of: failed) ?? 0
    func isBegun(_ step: CutoverStep) -> Bool { (Self.way.firstIndex(of: step) ?? 0) <= reached }
    ahead = failed == .examine ? [.giveUp] : [.tell, .giveUp]
    if isReversed, isBegun(.attach) { ahead.insert(.detach, at: 0) }
    if isBegun(.mark) { ahead.insert(.unmark, at: 0) }
    // The application first: a destination that does not answer must not prolong its pause.
    if isBegun(.fence) { ahead.insert(contentsOf: [.lower, .reopen], at: 0) }
    step = ahead.removeFirst()
    return step
  }
}
