// migr8sync status: how the jobs that run on this machine are doing, asked through their sockets.

import Glibc
import ReplicaLink

/// The options of one `status`.
struct StatusOptions: Sendable {
  /// The job; nil for whichever runs.
  var job: String?
  /// Whether to ask again every second.
  var watches: Bool
  var logFormat: LogFormat

  /// Reads the options of `status`.
  init(
    _ arguments: ScannedArguments, environment: @escaping (String) -> String?
  ) throws(UsageError) {
    let reader = OptionReader(arguments: arguments, environment: environment)
    job = try reader.jobName(.job)
    watches = arguments.has(.watch)
    logFormat = arguments.has(.json) ? .json : .text
  }
}

/// The `status` subcommand.
struct StatusCommand {
  private static let watchMilliseconds: UInt32 = 1_000

  let options: StatusOptions
  let environment: (String) -> String?

  /// Runs to the end and says how the process should exit.
  func run() -> ExitCode {
    while true {
      do throws(ControlCall.Problem) {
        let found = try ControlCall.all(environment: environment).filter {
          options.job == nil || $0.status["job"]?.text == options.job
        }
        guard !found.isEmpty else {
          let which = options.job.map { "job \($0)" } ?? "job"
          throw ControlCall.Problem(
            description:
              "no \(which) of this user runs on this machine ('migr8sync jobs -d URL' lists"
              + " what a destination knows of)")
        }
        show(found)
      } catch {
        StandardError.write("migr8sync status: \(error)\n")
        return .failed
      }
      guard options.watches else { return .converged }
      usleep(Self.watchMilliseconds * 1000)
    }
  }

  private func show(_ found: [(path: String, status: JSONValue)]) {
    if options.logFormat == .json {
      return StandardOutput.write(
        found.map { $0.status.text(adding: ("socket", $0.path)) }.joined())
    }
    if found.count == 1 { return StandardOutput.write(StatusText.one(found[0].status)) }
    StandardOutput.write(StatusText.table(found.map(\.status)))
  }
}

/// What `status` says to a person.
enum StatusText {
  static func one(_ status: JSONValue) -> String {
    func number(_ name: String) -> UInt64 { UInt64(clamping: status[name]?.integer ?? 0) }
    func text(_ name: String) -> String { LogLine.harmless(status[name]?.text ?? "?") }
    let destinations = list(status["destination_addresses"])
    var rows = [
      ("way", "\(text("source")) -> \(destinations)"), ("rules", text("rules")),
      ("lag", lag(status)),
      (
        "keys",
        "\(HumanNumber.count(number("keys_read"))) read,"
          + " \(HumanNumber.count(number("keys_matched"))) matched,"
          + " \(HumanNumber.count(number("keys_written"))) written"
      ),
      (
        "commands",
        "\(HumanNumber.count(number("commands_read"))) read,"
          + " \(HumanNumber.count(number("commands_forwarded"))) forwarded"
      ),
      (
        "queue",
        "\(HumanNumber.bytes(number("queue_memory_bytes"))) in memory,"
          + " \(HumanNumber.bytes(number("queue_disk_bytes"))) on disk"
      ),
      ("max rate", text("max_rate")),
      (
        "process",
        "\(number("process")), for \(HumanNumber.duration(milliseconds: Int64(clamping: number("elapsed_ms"))))"
      ),
    ]
    if let verification = status["verification"] {
      rows.append(("compared", VerificationText.words(verification)))
    }
    if let warning = status["warning"]?.text { rows.append(("warning", LogLine.harmless(warning))) }
    let lines = rows.map { name, words in
      "  \(name)\(String(repeating: " ", count: 10 - name.count))\(words)\n"
    }
    return "\(text("job")): \(state(status))\n\(lines.joined())"
  }

  static func table(_ all: [JSONValue]) -> String {
    var rows = [["job", "state", "lag", "source", "destinations", "process"]]
    for status in all {
      rows.append([
        LogLine.harmless(status["job"]?.text ?? "?"), state(status), lag(status),
        LogLine.harmless(status["source"]?.text ?? "?"), list(status["destination_addresses"]),
        "\(status["process"]?.integer ?? 0)",
      ])
    }
    return TextTable.lines(rows, right: []).joined(separator: "\n") + "\n"
  }

  private static func state(_ status: JSONValue) -> String {
    let phase = status["phase"]?.text.flatMap { ProgressSnapshot.Phase(rawValue: $0)?.title } ?? "?"
    let paused = status["paused"]?.boolean == true ? ", paused" : ""
    let reverse = status["direction"]?.text == "reverse" ? ", as the reverse" : ""
    return phase + reverse + paused + (status["cutover"]?.boolean == true ? ", in a cutover" : "")
  }

  private static func lag(_ status: JSONValue) -> String {
    let bytes = HumanNumber.bytes(UInt64(clamping: status["lag_bytes"]?.integer ?? 0))
    return "\(bytes), \(HumanNumber.duration(milliseconds: status["lag_ms"]?.integer ?? 0))"
  }

  private static func list(_ value: JSONValue?) -> String {
    guard case .array(let elements) = value else { return "?" }
    return elements.compactMap { $0.text.map { LogLine.harmless($0) } }.joined(separator: " ")
  }
}
