// The commands that look at keys before and after a move, and their options: verify.

extension Command {
  static let verify = Command(
    name: "verify",
    summary: "compare a source with its destination, while both are in use",
    usage: "-s URL -d URL [-p PREFIX ...] [options] | [JOB] [options]",
    introduction: [
      "Compares every key by its meaning: type, value, time to live; encodings and",
      "versions do not count. What differs is read again until it is known to differ,",
      "so live traffic raises no alarm. Takes the rules of the sync; never KEYS.",
      "Without servers it asks the running job to compare what it moves, which a",
      "cutover then relies on.",
    ],
    examples: [
      Example(
        purpose: "What the running job moves, before a cutover:", lines: ["migr8sync verify"]),
      Example(
        purpose: "Everything that a sync has moved:",
        lines: ["migr8sync verify -s redis://old:6379 -d redis://new:6379 -p bump:"]),
      Example(
        purpose: "A thousand keys by chance; only numbers of keys:",
        lines: ["migr8sync verify -s redis://old:6379 -d redis://new:6379 --sample 1000"]),
      Example(
        purpose: "Make the destination's keys what they are at the source:",
        lines: ["migr8sync verify -s redis://old:6379 -d redis://new:6379 -p bump: --fix"]),
    ],
    groups: [
      .comparedServers, .tls, .comparedKeys, .comparedPlaces, .comparison, .comparedPace,
      .verifyOutput,
    ],
    operands: .value(of: .job),
    exitCodes: [
      (.converged, "no differences; or all of them mended"),
      (
        .failed,
        "a server failed (see --from), or keys that never rested stay undecided"
      ),
      (.usage, "the command line is wrong"),
      (.differences, "there are differences; each is named on stdout"),
      (.refused, "--fix was not safe, or not confirmed; nothing was written"),
      (.interrupted, "stopped by SIGINT or SIGTERM; --from goes on from there"),
    ],
    read: { arguments, environment throws(UsageError) in
      VerifyJobOptions.areMeant(by: arguments)
        ? .verifyJob(try VerifyJobOptions(arguments, environment: environment))
        : .verify(try VerifyOptions(arguments, environment: environment))
    })
}

extension OptionGroup {
  /// Whose a job is that names a history which the source does not know, only the operator can say.
  static let unrelatedJob = CommandOption(
    name: .unrelatedJob, value: "NAME", isRepeatable: true,
    help:
      "A job at the destination that follows another server than the source, where the tool cannot tell"
      + " and refuses. Name none that ever followed this source.")

  /// The servers of a command that reads both ends as a client does.
  static let comparedServers = OptionGroup(
    title: "Servers",
    options: servers.options.filter { ![.psyncCommand, .oneChannel, .via].contains($0.name) })

  /// The rules about keys, for a command that sees no stream.
  static let comparedKeys = OptionGroup(
    title: keys.title,
    options: keys.options.filter { ![.publish, .onUnknown].contains($0.name) })

  static let comparedPlaces = OptionGroup(title: "Where they go", options: places.options)

  static let comparison = OptionGroup(
    title: "The comparison",
    options: [
      CommandOption(
        name: .sample, value: "N",
        help: "Compare so many keys, chosen by chance. Names are looked at all, values of these "
          + "only."),
      CommandOption(
        name: .quick,
        help: "Compare numbers of keys only, for each db and prefix. While writes go on the "
          + "numbers may differ although nothing is missing."),
      CommandOption(
        name: .ttlTolerance, value: "TIME", standard: "1s",
        help: "How far the times at which a key expires may lie apart."),
      CommandOption(
        name: .settle, value: "TIME", standard: "1s",
        help: "How long keys that differ must rest at both ends, where no running job says how "
          + "far the destination is."),
      CommandOption(
        name: .job, value: "NAME",
        help: "The running job whose checkpoint says how far the destination is. Default: the one "
          + "that is found there."),
      unrelatedJob,
      CommandOption(
        name: .fix,
        help: "Make what differs what it is at the source, after you confirm it; keys that the "
          + "source does not have are removed. Safe beside a running job."),
      CommandOption(name: .yes, help: "Do not ask for that confirmation."),
    ])

  static let comparedPace = OptionGroup(
    title: "Pace (times such as 500ms 10s 2m)",
    options: [
      maxRate,
      CommandOption(
        name: .from, value: "PLACE",
        help: "Go on where a run ended that was interrupted, or failed: the word that it printed."),
      connectTimeout, ioTimeout,
    ])

  static let maxRate = CommandOption(
    name: .maximumRate, value: "N", help: "The most keys in a second. Default: no bound.")

  static let json = CommandOption(
    name: .json, help: "Write findings and summary to stdout as JSON, an object on a line.")

  static let verifyOutput = OptionGroup(
    title: "Output and options from a file",
    options: [
      json, logFormat,
      CommandOption(name: .quiet, short: "q", help: "Write differences and errors only."),
      CommandOption(name: .noProgress, help: "No lines on progress; the summary stays."),
      config, help,
    ])
}
