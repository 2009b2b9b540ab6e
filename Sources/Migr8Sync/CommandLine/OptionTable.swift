// The table of commands: every command of the program with all that it takes. To add one, add it here,
// a case to Invocation, and its options. The options themselves are in OptionTable+Groups.swift.

extension OptionGroup {
  /// What the program takes in place of a command.
  static let program = OptionGroup(
    title: "Options",
    options: [
      CommandOption(
        name: .help, short: "h",
        help: "Print this and end; 'migr8sync COMMAND --help' is about a command."),
      CommandOption(name: .version, help: "Print the version and end."),
    ])
}

extension Command {
  /// Every command that exists, in the order of the help.
  static let all: [Command] = [
    check, sync, status, tell, cutover, verify, delete, jobs, extract, diff, analyze,
  ]

  static let sync = Command(
    name: "sync",
    summary: "copy matching keys to another server, then keep them current",
    usage: "-s URL -d URL [-p PREFIX ...] [options]",
    introduction: [
      "Attaches to the source as a replica; no KEYS, no SCAN, no change to the source.",
      "Copies the keys that match, then applies every later write to them in order.",
      "It follows until 'migr8sync cutover' hands the application over, or until you",
      "stop it (Ctrl-C).",
    ],
    examples: syncExamples,
    groups: [
      .servers, .tls, .keys, .places, .existing, .course, .resources, .output,
    ],
    exitCodes: [
      (.converged, "done; the destination has everything it should have"),
      (.failed, "failed; the same command goes on from there"),
      (.usage, "the command line is wrong"),
      (.refused, "refused before anything was written, for the reason given"),
      (.interrupted, "stopped by SIGINT or SIGTERM; the same command goes on from there"),
    ],
    read: { arguments, environment throws(UsageError) in
      .sync(try SyncOptions(arguments, environment: environment))
    })

  static let jobs = Command(
    name: "jobs",
    summary: "list the jobs whose state a destination keeps, or forget one",
    usage: "-d URL [--forget JOB] [options]",
    introduction: [
      "A sync keeps how far it has come in the destination, under migr8sync:job:*.",
      "This finds it there with SCAN, in every db, and changes nothing.",
    ],
    examples: [
      Example(
        purpose: "What is there, and who works on it:",
        lines: ["migr8sync jobs -d redis://new:6379"]),
      Example(
        purpose: "Remove the state of a job that will not go on:",
        lines: ["migr8sync jobs -d redis://new:6379 --forget split-bump"]),
    ],
    groups: [.jobServer, .destinationTLS, .forgetting, .jobOutput],
    exitCodes: [
      (.converged, "listed; or forgotten"),
      (.failed, "the server could not be asked, or would not do it"),
      (.usage, "the command line is wrong"),
      (.refused, "nothing was removed: no such job, living, reversed, or not confirmed"),
    ],
    read: { arguments, environment throws(UsageError) in
      .jobs(try JobsOptions(arguments, environment: environment))
    })

  private static let syncExamples = [
    Example(
      purpose: "See what would move; nothing is written:",
      lines: ["migr8sync sync -s redis://old:6379 -d redis://new:6379 -p bump: --dry-run"]),
    Example(
      purpose: "Move the keys under bump: to their own server and keep them current:",
      lines: ["migr8sync sync -s redis://old:6379 -d redis://new:6379 -p bump:"]),
    Example(
      purpose: "Copy everything, catch up, end:",
      lines: ["migr8sync sync -s redis://old:6379 -d redis://new:6379 --once"]),
    Example(
      purpose: "Db 2 of the source into db 0 of the destination, logging in as a user:",
      lines: [
        "migr8sync sync -s redis://mover@old:6379/2 -d redis://new:6379/0 \\",
        "    --source-password-file /run/secrets/old",
      ]),
  ]
}
