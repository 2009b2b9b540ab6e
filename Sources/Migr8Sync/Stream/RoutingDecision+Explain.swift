// The text of --explain: one line for each decision.

extension RoutingDecision {
  /// The most arguments of a command that a line shows.
  static let argumentsShownMax = 6

  /// `offset 1234 db 0: RENAME out:a in:b: repaired: in:b is read again from the source`.
  ///
  /// - Parameters:
  ///   - bytes: a buffer that holds the command.
  ///   - arguments: where its arguments lie, the name first.
  ///   - database: the source's database it acts on.
  ///   - offset: where it begins.
  func explanation(
    _ bytes: Span<UInt8>, arguments: Span<Range<Int>>, database: Int, offset: UInt64
  ) -> String {
    let command = summary(bytes, arguments: arguments, database: database, offset: offset)
    return "\(command): \(reason)"
  }

  /// The command alone: `offset 1234 db 0: RENAME out:a in:b`.
  func summary(
    _ bytes: Span<UInt8>, arguments: Span<Range<Int>>, database: Int, offset: UInt64
  ) -> String {
    var shown: [String] = []
    for index in 0..<min(arguments.count, Self.argumentsShownMax) {
      shown.append(Printable.key(bytes.extracting(arguments[index])))
    }
    if arguments.count > shown.count { shown.append("... (\(arguments.count) arguments)") }
    return "offset \(offset) db \(database): \(shown.joined(separator: " "))"
  }

  /// What is done, and why.
  private var reason: String {
    switch self {
    case .forward: "forwarded: all its keys are the destination's"
    case .rewritten(let command, _, .subset):
      "split: only the matching keys are sent, \(command.count) bytes"
    case .rewritten(let command, _, .translated):
      "translated: its effect here, as another command of \(command.count) bytes"
    case .rewritten: "forwarded: with the destination's names, databases and times"
    case .repair(let names):
      "repaired: read again from the source: \(names.map(\.description).joined(separator: " "))"
    case .clear(.database(let database)):
      "cleared: the matching keys of db \(database) are removed"
    case .clear(.all): "cleared: all matching keys are removed"
    case .flush: "flushed: the destination is wholly this run's"
    case .swap(let one, let other): "swapped: db \(one) and db \(other) of the destination"
    case .drop(let reason): "dropped: \(reason.explanation)"
    case .begin: "a transaction begins"
    case .commit: "the transaction ends"
    case .abort: "the transaction is given up"
    case .acknowledge: "answered with the applied offset"
    case .consumed: "about the stream itself"
    case .needsKeys: "its keys are asked for with COMMAND GETKEYS"
    case .resynchronise(let error): "a new snapshot is needed: \(error)"
    case .stop(let error): "the run ends: \(error)"
    }
  }
}

extension DropReason {
  /// Why, in words.
  var explanation: String {
    switch self {
    case .otherKeys: "none of its keys matches"
    case .otherDatabase: "its database is not selected"
    case .underRepair: "its keys are being read again from the source, which covers it"
    case .message: "messages are sent on for channels that were asked for only"
    case .code: "functions and scripts go along only where everything does"
    case .cluster: "it is about the source's own cluster"
    case .unplaced: "its keys cannot be found, and --on-unknown says drop"
    }
  }
}
