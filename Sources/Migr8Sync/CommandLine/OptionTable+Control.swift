// The options of the commands that talk to a running job.

extension OptionGroup {
  private static let job = CommandOption(
    name: .job, value: "JOB",
    help: "The job, where several run. The same as the word without dashes.")

  private static let jsonAnswer = CommandOption(
    name: .json, help: "An object on a line, as the job's socket gives it.")

  // MARK: - status

  static let status = OptionGroup(
    title: "Options",
    options: [
      job, jsonAnswer,
      CommandOption(name: .watch, help: "Ask again every second, until Ctrl-C."),
      config, help,
    ])

  // MARK: - tell

  static let words = OptionGroup(
    title: "What to say, one of these",
    options: [
      CommandOption(
        name: .pause,
        help: "Write nothing more for the time being. The source is still drained, into the queue."),
      CommandOption(name: .resume, help: "Go on."),
      CommandOption(
        name: .maximumRate, value: "RATE",
        help: "From now on write no more than this, as in sync; none for no limit."),
      CommandOption(name: .stop, help: "End the run, as SIGTERM does; the same command goes on."),
    ])

  static let telling = OptionGroup(title: "Options", options: [job, config, help])

  // MARK: - cutover

  static let directions = OptionGroup(
    title: "Which way (without one of these: hand over, and end the job)",
    options: [
      CommandOption(
        name: .reverse,
        help: "Hand over, and from then on bring what the destination gets back to the source, so "
          + "that going back loses nothing. The run goes on until --back or --complete."),
      CommandOption(
        name: .back,
        help: "Behind a cutover with --reverse: hand the application back to the source, in the "
          + "same way, and end the job."),
      CommandOption(
        name: .complete,
        help: "Behind a cutover with --reverse: end the reverse, and with it the job. The "
          + "application stays at the destination."),
    ])

  static let conditions = OptionGroup(
    title: "Conditions",
    options: [
      CommandOption(
        name: .maximumLag, value: "TIME", standard: "1s",
        help: "Refuse while the destination is further behind."),
      CommandOption(
        name: .skipVerify,
        help:
          "Do without a comparison of both ends by the job (migr8sync verify), or with one that "
          + "does not count any more. One that found differences is never passed over."),
      CommandOption(
        name: .acceptSkipped,
        help: "Hand over although keys were left as the destination had them (--on-conflict skip)."),
      CommandOption(
        name: .postponeFile, value: "FILE",
        help: "Get ready, then wait as long as this file is there. A path from the root."),
      CommandOption(
        name: .dryRun, short: "n",
        help: "Say what each step would do, with the numbers of now; do nothing."),
    ])

  static let fence = OptionGroup(
    title: "The fence",
    options: [
      CommandOption(
        name: .fence, value: "WHAT", standard: "pause",
        help: "How the source's writers are held off. pause: CLIENT PAUSE of writes, before 6.2 of "
          + "everything. pause-all: of everything. acl:USER: this user may not write what moves. hook: "
          + "the commands of --on-fence and --on-lift. none: the application has stopped by itself."
      ),
      CommandOption(
        name: .fenceTime, value: "TIME", standard: "5s",
        help: "The longest it may last. The source itself keeps to it, so a tool that is killed "
          + "leaves no pause behind (but an ACL user without his rights: docs/cutover.md)."),
      CommandOption(
        name: .queued, value: "WHAT", standard: "refuse",
        help: "What becomes of writes that wait at a paused source. refuse: their connections are "
          + "ended, none of them runs, the application repeats them at the destination. run: they run "
          + "at the source, and are reported: they are not at the destination. carry: they run at the "
          + "source and then at the destination, behind what the application has written there."),
      CommandOption(
        name: .observeTime, value: "TIME", standard: "1s",
        help: "How long changed keys are gathered for the last check, before the fence."),
      CommandOption(
        name: .checkTime, value: "TIME", standard: "10ms",
        help: "How long the last check inside the fence may take; 0ms leaves it out."),
      CommandOption(
        name: .linger, value: "TIME", standard: "1s",
        help: "How long the source is watched for late writes behind the hand-over."),
    ])

  static let hooks = OptionGroup(
    title: "Your commands (run by /bin/sh, with the facts in MIGR8SYNC_... variables)",
    options: [
      CommandOption(
        name: .onReady, value: "CMD", help: "Everything is prepared. A failure ends the cutover."),
      CommandOption(
        name: .onFence, value: "CMD", help: "Hold the writers off (--fence hook)."),
      CommandOption(
        name: .onCutover, value: "CMD",
        help: "Move the application over: everything is at the destination. A failure takes the "
          + "cutover back."),
      CommandOption(name: .onLift, value: "CMD", help: "Let the writers go (--fence hook)."),
      CommandOption(
        name: .onFailed, value: "CMD",
        help: "The cutover was taken back: the application belongs to the source."),
      CommandOption(name: .onDone, value: "CMD", help: "All is done."),
      CommandOption(
        name: .hookTimeout, value: "TIME", standard: "2s",
        help: "How long each may take. Then it is ended, with all it has started."),
    ])

  static let cutoverOutput = OptionGroup(
    title: "Options", options: [job, jsonAnswer, config, help])
}

// MARK: - The commands

extension Command {
  static let status = Command(
    name: "status",
    summary: "how the jobs that run on this machine are doing",
    usage: "[JOB] [--json] [--watch]",
    introduction: ["Asks the running jobs of this user, through their control sockets."],
    examples: [Example(purpose: "How is it going?", lines: ["migr8sync status"])],
    groups: [.status],
    operands: .value(of: .job),
    exitCodes: [
      (.converged, "said"),
      (.failed, "no such job runs here"),
      (.usage, "the command line is wrong"),
    ],
    read: { arguments, environment throws(UsageError) in
      .status(try StatusOptions(arguments, environment: environment))
    })

  static let tell = Command(
    name: "tell",
    summary: "pause, resume, slow down or stop a running job",
    usage: "[JOB] --pause | --resume | --max-rate RATE | --stop",
    introduction: ["Says one thing to a running job of this user, and shows its state."],
    examples: [
      Example(
        purpose: "Spare the destination for a while:",
        lines: ["migr8sync tell --max-rate 5000,10mb"])
    ],
    groups: [.words, .telling],
    operands: .value(of: .job),
    exitCodes: [
      (.converged, "done"),
      (.failed, "no such job runs here, or it would not"),
      (.usage, "the command line is wrong"),
    ],
    read: { arguments, environment throws(UsageError) in
      .tell(try TellOptions(arguments, environment: environment))
    })

  static let cutover = Command(
    name: "cutover",
    summary: "hand the application over to the destination, and end the job",
    usage: "[JOB] --on-cutover CMD [options]",
    introduction: [
      "Asks a running job of this user to hold the source's writers off, bring over",
      "the rest, run your command, and end. Until that command has succeeded, whatever",
      "fails lifts the fence, and the job goes on following. See docs/cutover.md first.",
    ],
    examples: [
      Example(
        purpose: "See what would be done:",
        lines: ["migr8sync cutover --on-cutover ./switch-over --dry-run"]),
      Example(
        purpose: "Hand over, once 'migr8sync verify' has found nothing:",
        lines: ["migr8sync cutover --on-cutover ./switch-over"]),
      Example(
        purpose: "The application writes as user app, and moves when it gets a NOPERM:",
        lines: ["migr8sync cutover --fence acl:app --on-cutover ./switch-over"]),
      Example(
        purpose: "Hand over so that it can be undone:",
        lines: ["migr8sync cutover --reverse --on-cutover ./switch-over"]),
      Example(
        purpose: "Undo it:",
        lines: ["migr8sync cutover --back --on-cutover ./switch-back"]),
    ],
    groups: [.directions, .conditions, .fence, .hooks, .cutoverOutput],
    operands: .value(of: .job),
    exitCodes: [
      (.converged, "handed over; the job has ended, or its reverse has begun"),
      (.failed, "taken back; the job goes on following"),
      (.usage, "the command line is wrong"),
      (.refused, "refused for the reason given; nothing was touched"),
      (.unknown, "the run was lost on the way: see its log, and where the application is"),
    ],
    read: { arguments, environment throws(UsageError) in
      .cutover(try CutoverOptions(arguments, environment: environment))
    })
}
