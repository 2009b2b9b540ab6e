// The command that removes moved keys, and its options.

extension Command {
  static let delete = Command(
    name: "delete",
    summary: "remove keys from the source once they have moved",
    usage: "-s URL -d URL -p PREFIX [options]",
    introduction: [
      "Removes a key only when the destination holds it with the same value and time",
      "to live, and nobody touches it meanwhile. SCAN and UNLINK in small batches that",
      "give way to the server's other clients; never KEYS. --dry-run removes nothing.",
    ],
    examples: [
      Example(
        purpose: "See what would go, and what would be kept:",
        lines: ["migr8sync delete -s redis://old:6379 -d redis://new:6379 -p bump: --dry-run"]),
      Example(
        purpose: "Remove it, five thousand keys a second at most:",
        lines: [
          "migr8sync delete -s redis://old:6379 -d redis://new:6379 -p bump: \\",
          "    --max-rate 5000",
        ]),
    ],
    groups: [
      .removedServers, .tls, .removedKeys, .comparedPlaces, .removing, .removingPace,
      .removingOutput,
    ],
    exitCodes: [
      (.converged, "every matching key is gone; of --dry-run, would be"),
      (.failed, "failed; the same command goes on from there"),
      (.usage, "the command line is wrong"),
      (.differences, "keys were kept; each is named on stdout with the reason"),
      (.refused, "nothing was removed: a job still follows, or not confirmed"),
      (.interrupted, "stopped by SIGINT or SIGTERM; the same command goes on from there"),
    ],
    read: { arguments, environment throws(UsageError) in
      .delete(try DeleteOptions(arguments, environment: environment))
    })
}

extension OptionGroup {
  static let removedServers = OptionGroup(
    title: "Servers", options: comparedServers.options.filter { $0.name != .preferReplica })

  static let removedKeys = OptionGroup(
    title: "Which keys (as in sync; at least one of --prefix, --match, --regex, --route)",
    options: comparedKeys.options)

  static let removing = OptionGroup(
    title: "Removing",
    options: [
      CommandOption(
        name: .dryRun, short: "n", help: "Compare and report; remove nothing."),
      CommandOption(name: .yes, help: "Do not ask for a confirmation."),
      CommandOption(
        name: .noVerify,
        help: "Remove matching keys whatever the destination holds; --dest may be left out."),
      unrelatedJob,
      CommandOption(
        name: .ttlTolerance, value: "TIME", standard: "1s",
        help: "How far the times at which a key expires may lie apart."),
    ])

  static let removingPace = OptionGroup(
    title: "Pace (times such as 500ms 10s 2m)",
    options: [
      maxRate,
      CommandOption(
        name: .maxLatency, value: "TIME", standard: "10ms",
        help:
          "When a PING to the source takes so much longer than the quickest did, remove less at "
          + "once, and rest."),
      connectTimeout, ioTimeout,
    ])

  static let removingOutput = OptionGroup(
    title: "Output and options from a file",
    options: [
      json, logFormat,
      CommandOption(name: .quiet, short: "q", help: "Write kept keys and errors only."),
      config, help,
    ])
}
