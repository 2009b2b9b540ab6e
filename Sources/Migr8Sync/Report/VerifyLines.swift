// What a comparison says: differences to stdout, a line each; how far it is, notes and errors to stderr.

import ReplicaLink
import Synchronization

/// Writes for `verify`.
///
/// Its thread looks at the progress now and then; everything else is called by the one that compares.
final class VerifyLines: Sendable {
  /// The time between two lines on progress, in milliseconds.
  static let lineMilliseconds: Int64 = 5_000
  private static let lookMilliseconds: Int64 = 100

  private let writesJSON: Bool
  private let view: OutputView
  private let progress: VerifyProgress
  private let startMilliseconds = Clock.monotonicMilliseconds()
  private let isDone = Promise<Bool>()

  init(_ options: VerifyOptions, _ progress: VerifyProgress) {
    writesJSON = options.writesJSON
    view = options.view
    self.progress = progress
  }

  // MARK: - Progress

  /// Starts the thread that tells of progress.
  func start() -> NamedThread {
    NamedThread("progress") { [self] in
      while isDone.wait(milliseconds: Self.lineMilliseconds) == nil {
        if view.showsProgress { write(progressText) }
      }
    }
  }

  func stop() {
    isDone.fulfil(true)
  }

  private var progressText: String {
    let now = progress.snapshot
    let elapsed = max(1, Clock.monotonicMilliseconds() - startMilliseconds)
    let rate = Double(now.keysCompared &+ now.keysLookedUp) * 1_000 / Double(elapsed)
    var parts = [
      "\(HumanNumber.count(now.keysCompared)) keys compared",
      "\(HumanNumber.count(now.keysLookedUp)) looked up", HumanNumber.rate(rate, of: "keys"),
      "\(HumanNumber.count(now.differenceCount)) differ",
    ]
    if now.suspects > 0 { parts.append("\(HumanNumber.count(now.suspects)) are read again") }
    return "\(now.phase.rawValue): " + parts.joined(separator: "; ")
  }

  private func write(_ message: String) {
    StandardError.write(
      LogLine.note(message, format: view.logFormat, wallMilliseconds: Clock.wallMilliseconds())
        + "\n")
  }

  func note(_ message: String) {
    if !view.isQuiet { write(message) }
  }

  // MARK: - Findings

  func difference(_ difference: Difference) {
    StandardOutput.write((writesJSON ? difference.json.text : difference.text) + "\n")
  }

  func undecided(_ name: KeyName) {
    StandardOutput.write(
      (writesJSON ? Self.undecidedJSON(name).text : Self.undecidedText(name)) + "\n")
  }

  static func undecidedText(_ name: KeyName) -> String {
    "undecided \(name): it changed whenever it was read"
  }

  static func undecidedJSON(_ name: KeyName) -> JSONObject {
    var object = JSONObject()
    object.add("event", "undecided")
    object.add("key", bytes: name.key)
    object.add("db", UInt64(clamping: name.database))
    return object
  }

  func census(_ rows: [CensusRow]) {
    if writesJSON {
      for row in rows {
        var object = JSONObject()
        object.add("event", "count")
        object.add("db", UInt64(clamping: row.database))
        object.add("prefix", bytes: row.prefix)
        object.add("source_keys", row.sourceKeys)
        object.add("dest_keys", row.destinationKeys)
        StandardOutput.write(object.text + "\n")
      }
      return
    }
    var table = [["db", "prefix", "source", "destination", ""]]
    for row in rows {
      table.append([
        "\(row.database)", row.prefix.isEmpty ? "-" : Printable.key(row.prefix),
        HumanNumber.count(row.sourceKeys), HumanNumber.count(row.destinationKeys),
        row.isSame ? "same" : "differ",
      ])
    }
    StandardOutput.write(
      TextTable.lines(table, right: [0, 2, 3]).joined(separator: "\n") + "\n")
  }

  // MARK: - The end

  func summary() {
    let end = progress.snapshot
    let elapsed = Clock.monotonicMilliseconds() - startMilliseconds
    if writesJSON { return StandardOutput.write(json("summary", end).text + "\n") }
    guard !view.isQuiet, end.keysCompared + end.keysLookedUp > 0 || end.phase != .comparing else {
      return
    }
    StandardError.write(Self.summary(end, milliseconds: elapsed) + "\n")
  }

  /// What a comparison came to, in one line.
  static func summary(_ end: VerifyProgress.Snapshot, milliseconds elapsed: Int64) -> String {
    var text = "\(HumanNumber.count(end.keysCompared)) keys compared, "
    text += "\(HumanNumber.count(end.keysLookedUp)) looked up, in "
    text += HumanNumber.duration(milliseconds: elapsed)
    let causes = DifferenceCause.allCases.compactMap { cause in
      end.differences[cause].map { "\(HumanNumber.count($0)) \(cause.rawValue)" }
    }
    text +=
      causes.isEmpty
      ? ": no differences"
      : ": \(HumanNumber.count(end.differenceCount)) differ (\(causes.joined(separator: ", ")))"
    if end.fixed > 0 { text += "; \(HumanNumber.count(end.fixed)) mended" }
    if end.undecided > 0 { text += "; \(HumanNumber.count(end.undecided)) undecided" }
    return text
  }

  /// It did not come to its end, for a reason: where it can go on.
  func incomplete(_ reason: String) {
    let end = progress.snapshot
    if writesJSON {
      var object = json("incomplete", end)
      object.add("reason", reason)
      if let place = end.place { object.add("place", place.text) }
      StandardOutput.write(object.text + "\n")
    }
    failed(reason + (end.place.map { "; the same command goes on with \($0.option)" } ?? ""))
  }

  private func json(_ event: String, _ end: VerifyProgress.Snapshot) -> JSONObject {
    var object = JSONObject()
    object.add("event", event)
    end.add(to: &object)
    object.add("elapsed_ms", Clock.monotonicMilliseconds() - startMilliseconds)
    return object
  }

  func failed(_ reason: String) {
    StandardError.write("migr8sync: \(LogLine.harmless(reason))\n")
  }
}

extension VerifyProgress.Snapshot {
  /// The numbers, for JSON.
  func add(to object: inout JSONObject) {
    object.add("keys_compared", keysCompared)
    object.add("keys_looked_up", keysLookedUp)
    object.add("differences", differenceCount)
    for cause in DifferenceCause.allCases {
      if let count = differences[cause] { object.add(cause.rawValue, count) }
    }
    object.add("undecided", undecided)
    object.add("fixed", fixed)
  }
}
