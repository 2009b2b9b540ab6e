// migr8sync verify without servers: asks a running job to compare its own two ends, and shows what it finds.
// The work is done in the job's process: this one may be ended at any time, and the outcome stays known.

import Glibc
import ReplicaLink

/// The options of one `verify` that a running job carries out.
struct VerifyJobOptions: Sendable {
  /// The options that mean something where a job compares; everything else it knows by itself.
  static let names: Set<CommandOption.Name> = [
    .job, .maximumRate, .json, .logFormat, .quiet, .noProgress, .config,
  ]

  /// The job; nil for the one that runs.
  var job: String?
  /// What is sent.
  var request: JSONObject
  var writesJSON: Bool
  var view: OutputView

  /// Whether a command line is for a running job: it names no server.
  static func areMeant(by arguments: ScannedArguments) -> Bool {
    ![.source, .destination, .route].contains { arguments.has($0) }
  }

  /// Reads the options of such a `verify`.
  init(
    _ arguments: ScannedArguments, environment: @escaping (String) -> String?
  ) throws(UsageError) {
    for option in arguments.command.options
    where arguments.has(option.name) && !Self.names.contains(option.name) {
      throw UsageError(
        "\(option.longName) is for a comparison with --source and --dest; without them the running job"
          + " compares what it moves", at: arguments.origin(of: option.name))
    }
    let reader = OptionReader(arguments: arguments, environment: environment)
    job = try reader.jobName(.job)
    writesJSON = arguments.has(.json)
    view = try OutputView(reader)
    request = JSONObject()
    request.add("command", "verify")
    if let rate = try reader.keysPerSecondMax() { request.add("max-rate", "\(rate)") }
  }
}

/// The `verify` subcommand, where a running job does the work.
struct VerifyJobCommand {
  let options: VerifyJobOptions
  let environment: (String) -> String?

  /// Runs to the end and says how the process should exit.
  func run() -> ExitCode {
    do {
      var call = try ControlCall.find(options.job, environment: environment)
      try call.begin(options.request)
      var asksStatus = JSONObject()
      asksStatus.add("command", "status")
      while true {
        guard call.hasNext(milliseconds: VerifyLines.lineMilliseconds) else {
          if options.view.showsProgress { try call.begin(asksStatus) }
          continue
        }
        let line = try call.next(milliseconds: ControlCall.answerMilliseconds)
        if line["event"]?.text == "status" {
          showProgress(line["verification"])
        } else if ["difference", "undecided"].contains(line["event"]?.text) {
          StandardOutput.write(options.writesJSON ? line.text() : text(line) + "\n")
        } else {
          return conclude(line)
        }
      }
    } catch {
      StandardError.write(
        "migr8sync verify: \(error) (to compare without a job, name --source and --dest)\n")
      return .failed
    }
  }

  private func text(_ line: JSONValue) -> String {
    LogLine.harmless(line["text"]?.text ?? "?")
  }

  private func showProgress(_ verification: JSONValue?) {
    guard let verification, verification["state"]?.text == "under way" else { return }
    let words = VerificationText.words(verification)
    StandardError.write(
      LogLine.note(
        words, format: options.view.logFormat, wallMilliseconds: Clock.wallMilliseconds())
        + "\n")
  }

  private func conclude(_ end: JSONValue) -> ExitCode {
    guard end["ok"]?.boolean == true else {
      let reason = LogLine.harmless(end["error"]?.text ?? "it was not done")
      StandardError.write("migr8sync verify: \(reason)\n")
      return .failed
    }
    if options.writesJSON {
      StandardOutput.write(end.text())
    } else if !options.view.isQuiet {
      StandardError.write(text(end) + "\n")
    }
    if end["differences"]?.integer != 0 { return .differences }
    return end["undecided"]?.integer == 0 ? .converged : .failed
  }
}

/// A job's own comparison in words, from what its status says.
enum VerificationText {
  static func words(_ verification: JSONValue) -> String {
    func count(_ name: String) -> String {
      HumanNumber.count(UInt64(clamping: verification[name]?.integer ?? 0))
    }
    let numbers =
      "\(count("keys_compared")) keys compared, \(count("keys_looked_up")) looked up,"
      + " \(count("differences")) differ"
    let age = HumanNumber.duration(milliseconds: verification["age_ms"]?.integer ?? 0)
    switch verification["state"]?.text {
    case "under way": return "\(verification["phase"]?.text ?? "?"): \(numbers)"
    case "clean": return "\(numbers), \(age) ago"
    case "different": return "\(numbers), \(age) ago: a cutover is refused"
    default: return LogLine.harmless(verification["reason"]?.text ?? "?")
    }
  }
}
