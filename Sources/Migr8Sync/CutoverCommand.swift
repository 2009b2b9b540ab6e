// migr8sync cutover: asks a running job to hand the application over, and shows how that goes. The work
// is done in the job's own process: this one may be ended at any time.

import Glibc
import ReplicaLink

/// The options of one `cutover`.
struct CutoverOptions: Sendable {
  /// The job; nil for the one that runs.
  var job: String?
  /// What is sent.
  var request: JSONObject
  /// Whether nothing is handed over, and the reverse only ends.
  let completes: Bool
  /// Whether nothing is done at all.
  let isDryRun: Bool
  /// How long nothing need be heard, in milliseconds.
  var patienceMilliseconds: Int64
  var logFormat: LogFormat

  /// How long the job may take to connect to its servers, some of which may not answer, in milliseconds.
  private static let connectingMilliseconds: Int64 = 300_000

  /// Reads the options of `cutover`.
  init(
    _ arguments: ScannedArguments, environment: @escaping (String) -> String?
  ) throws(UsageError) {
    let reader = OptionReader(arguments: arguments, environment: environment)
    job = try reader.jobName(.job)
    logFormat = arguments.has(.json) ? .json : .text
    completes = arguments.has(.complete)
    isDryRun = arguments.has(.dryRun)
    if completes {
      for option in arguments.command.options
      where CutoverSettings.names.contains(option.name.rawValue) && arguments.has(option.name) {
        throw UsageError(
          "--complete hands nothing over; leave \(option.longName) out",
          at: arguments.origin(of: option.name))
      }
      request = JSONObject()
      request.add("command", "complete")
      patienceMilliseconds = ControlCall.answerMilliseconds
      return
    }
    var values: [String: String] = [:]
    for option in arguments.command.options
    where CutoverSettings.names.contains(option.name.rawValue) {
      guard arguments.has(option.name) else { continue }
      values[option.name.rawValue] = try arguments.value(option.name) ?? ""
    }
    do {
      let settings = try CutoverSettings(values)
      // A postponed cutover is silent for as long as it waits.
      patienceMilliseconds =
        settings.postponeFile != nil
        ? .max / 2
        : settings.fenceMilliseconds + settings.observeMilliseconds + settings.lingerMilliseconds
          + 4 * settings.hookMilliseconds + Self.connectingMilliseconds
    } catch {
      throw UsageError("--\(error.name) takes \(error.expected)")
    }
    request = JSONObject()
    request.add("command", "cutover")
    for (name, text) in values.sorted(by: { $0.key < $1.key }) {
      if arguments.command.options.first(where: { $0.name.rawValue == name })?.value == nil {
        request.add(name, true)
      } else {
        request.add(name, text)
      }
    }
  }
}

/// The `cutover` subcommand.
struct CutoverCommand {
  let options: CutoverOptions
  let environment: (String) -> String?

  /// Runs to the end and says how the process should exit.
  func run() -> ExitCode {
    do {
      var call = try ControlCall.find(options.job, environment: environment)
      do {
        return try ask(&call)
      } catch {
        return lose(error)
      }
    } catch {
      StandardError.write("migr8sync cutover: \(error)\n")
      return .refused
    }
  }

  private func ask(_ call: inout ControlCall) throws(ControlCall.Problem) -> ExitCode {
    try call.begin(options.request)
    // The first line, too, comes only when the job has connected to both servers.
    var answer = try call.next(milliseconds: options.patienceMilliseconds)
    while answer["event"]?.text == "cutover" {
      show(answer)
      answer = try call.next(milliseconds: options.patienceMilliseconds)
    }
    if options.completes { return conclude(completion: answer) }
    return answer["event"]?.text == "cutover_end" ? conclude(answer) : refuse(answer)
  }

  /// The request was sent, and what came of it was not heard.
  private func lose(_ problem: ControlCall.Problem) -> ExitCode {
    if options.isDryRun {
      StandardError.write("migr8sync cutover: \(problem) (nothing was done)\n")
      return .refused
    }
    let what =
      options.completes
      ? "whether the reverse has ended is not known (see 'migr8sync status', and the log of the run)"
      : "how the cutover ended is not known, nor where the application is (see the log of the run and"
        + " 'migr8sync status'; if the run has died, give its 'sync' command again: it goes on, or says"
        + " what it has to be told)"
    StandardError.write("migr8sync cutover: \(problem); \(what)\n")
    return .unknown
  }

  private func show(_ line: JSONValue) {
    if options.logFormat == .json { return StandardOutput.write(line.text()) }
    if let text = CutoverText.line(line) { StandardOutput.write(text + "\n") }
  }

  /// The job would not begin.
  private func refuse(_ answer: JSONValue) -> ExitCode {
    if options.logFormat == .json { StandardOutput.write(answer.text()) }
    let reason = LogLine.harmless(answer["error"]?.text ?? "it was not done")
    StandardError.write("migr8sync cutover: \(reason)\n")
    return .refused
  }

  private func conclude(completion answer: JSONValue) -> ExitCode {
    guard answer["ok"]?.boolean == true else { return refuse(answer) }
    StandardOutput.write(
      options.logFormat == .json ? answer.text() : "the reverse ends, and with it the job\n")
    return .converged
  }

  private func conclude(_ report: JSONValue) -> ExitCode {
    if options.logFormat == .json {
      StandardOutput.write(report.text())
    } else {
      for remark in CutoverText.remarks(report) { StandardOutput.write("  \(remark)\n") }
    }
    if report["ok"]?.boolean == true {
      if options.logFormat == .text { StandardOutput.write(CutoverText.summary(report) + "\n") }
      return .converged
    }
    StandardError.write("migr8sync cutover: \(CutoverText.summary(report))\n")
    // Refused before anything was touched, or taken back.
    return report["error"]?.text?.hasPrefix("examine:") ?? true ? .refused : .failed
  }
}
