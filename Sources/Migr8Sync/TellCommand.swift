// migr8sync tell: one word to a running job.

import Glibc
import ReplicaLink

/// The options of one `tell`.
struct TellOptions: Sendable {
  /// The job; nil for the one that runs.
  var job: String?
  /// What is sent.
  var request: JSONObject

  /// Reads the options of `tell`.
  init(
    _ arguments: ScannedArguments, environment: @escaping (String) -> String?
  ) throws(UsageError) {
    let reader = OptionReader(arguments: arguments, environment: environment)
    job = try reader.jobName(.job)
    var requests: [JSONObject] = []
    for (option, word) in [
      (CommandOption.Name.pause, "pause"), (.resume, "resume"), (.stop, "stop"),
    ] where arguments.has(option) {
      var object = JSONObject()
      object.add("command", word)
      requests.append(object)
    }
    if arguments.has(.maximumRate) {
      var object = JSONObject()
      object.add("command", "throttle")
      object.add("rate", try reader.maximumRate().text)
      requests.append(object)
    }
    guard requests.count == 1 else {
      throw UsageError("say one thing: --pause, --resume, --max-rate RATE or --stop")
    }
    request = requests[0]
  }
}

/// The `tell` subcommand.
struct TellCommand {
  let options: TellOptions
  let environment: (String) -> String?

  /// Runs to the end and says how the process should exit.
  func run() -> ExitCode {
    do {
      var call = try ControlCall.find(options.job, environment: environment)
      let answer = try call.ask(options.request)
      if answer["ok"]?.boolean == true {
        StandardOutput.write(StatusText.one(answer))
        return .converged
      }
      StandardError.write(
        "migr8sync tell: \(LogLine.harmless(answer["error"]?.text ?? "it was not done"))\n")
    } catch {
      StandardError.write("migr8sync tell: \(error)\n")
    }
    return .failed
  }
}
