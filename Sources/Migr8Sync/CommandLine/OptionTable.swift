// The table of options: every command of the program with all that it takes. To add an option,
// add a line here and read it where the command's options are built.

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
  static let all: [Command] = [sync]

  static let sync = Command(
    name: "sync",
    summary: "copy matching keys to another server, then keep them current",
    usage: "-s URL -d URL [-p PREFIX ...] [options]",
    introduction: [
      "Attaches to the source as a replica; no KEYS, no SCAN, no change to the source.",
      "Copies the keys that match, then applies every later write to them in order.",
      "It follows until you stop it (Ctrl-C) when the application has moved over.",
    ],
    examples: syncExamples,
    groups: [
      servers, tls, keys, destinationOptions, course, resources, output,
    ],
    exitCodes: [
      (.converged, "done; the destination has everything it should have"),
      (.failed, "failed; the destination may hold a part of the keys"),
      (.usage, "the command line is wrong"),
      (.refused, "refused before anything was written, for the reason given"),
      (.interrupted, "stopped by SIGINT or SIGTERM, after finishing what was in flight"),
    ])

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

  private static let servers = OptionGroup(
    title: "Servers",
    options: [
      CommandOption(
        name: .source, short: "s", value: "URL",
        help: "The server to read from: redis://[user[:password]@]host[:port][/db], "
          + "rediss:// for TLS, unix:///path[?db=n] or "
          + "redis+sentinel://host[,host...]/master[/db]. With a db, only that db is read."),
      CommandOption(
        name: .destination, short: "d", value: "URL",
        help: "The server to write to. With a db, the one db that is read goes there; without, "
          + "every db keeps its number."),
      CommandOption(
        name: .sourcePasswordFile, value: "FILE",
        help: "The file whose first line is the source's password. A password also comes from "
          + "its URL, or else from MIGR8SYNC_SOURCE_PASSWORD."),
      CommandOption(
        name: .destinationPasswordFile, value: "FILE",
        help: "The same for the destination, or else MIGR8SYNC_DEST_PASSWORD."),
      CommandOption(
        name: .preferReplica,
        help: "Attach to the source's replica with the smallest lag, where there is one, so that "
          + "the source itself is spared the snapshot."),
      CommandOption(
        name: .psyncCommand, value: "NAME", standard: "PSYNC",
        help: "What PSYNC is called at a source that has it renamed."),
      CommandOption(
        name: .oneChannel,
        help: "Take the snapshot over the same connection as the stream, also where the source "
          + "(Redis 8, Valkey 8) offers it one of its own."),
    ])

  private static let tls = OptionGroup(
    title: "TLS, for rediss:// (for one side alone: --source-tls-ca, --dest-tls-ca, ...)",
    options: [
      CommandOption(
        name: .tlsAuthorities, value: "FILE",
        oneSided: [.sourceTLSAuthorities, .destinationTLSAuthorities],
        help: "Trust servers whose certificate one of these (PEM) has signed. Default: the "
          + "authorities that this system trusts."),
      CommandOption(
        name: .tlsCertificate, value: "FILE",
        oneSided: [.sourceTLSCertificate, .destinationTLSCertificate],
        help: "Our certificate (PEM), for servers that ask for one."),
      CommandOption(
        name: .tlsKey, value: "FILE", oneSided: [.sourceTLSKey, .destinationTLSKey],
        help: "Its private key (PEM), without a password. Default: in the same file."),
      CommandOption(
        name: .tlsServerName, value: "NAME",
        oneSided: [.sourceTLSServerName, .destinationTLSServerName],
        help: "The name to ask for, and that the certificate must have. Default: the URL's host."),
      CommandOption(
        name: .tlsInsecure, oneSided: [.sourceTLSInsecure, .destinationTLSInsecure],
        help: "Take any certificate. Nobody can listen in passing, but whoever can stand between "
          + "may pose as the server, read everything and change it."),
    ])

  private static let keys = OptionGroup(
    title: "Which keys",
    options: [
      CommandOption(
        name: .prefix, short: "p", value: "PREFIX", isRepeatable: true,
        help: "Move the keys that begin with these bytes. May be repeated; a key moves when any "
          + "--prefix or --match says so. With neither, every key moves."),
      CommandOption(
        name: .match, value: "GLOB", isRepeatable: true,
        help: "Move the keys that match, by the rules of Redis: * ? [a-z] [^a] \\x. May be "
          + "repeated."),
      CommandOption(
        name: .database, value: "N", isRepeatable: true,
        help: "Read only this db. May be repeated, or a list: 0,3."),
      CommandOption(
        name: .publish, value: "GLOB", isRepeatable: true,
        help: "Pass messages of these channels on, too. May be repeated."),
      CommandOption(
        name: .onUnknown, value: "WHAT", standard: "stop",
        help: "What to do with a write command whose keys neither this program nor the source "
          + "can tell: stop, drop or forward."),
    ])

  private static let destinationOptions = OptionGroup(
    title: "Keys that the destination has already",
    options: [
      CommandOption(
        name: .onConflict, value: "WHAT", standard: "fail",
        help: "fail: refuse to start when the destination holds matching keys. replace: "
          + "overwrite them. skip: leave them, and their writes, alone."),
      CommandOption(
        name: .clearDestination, short: "c",
        help: "Remove the matching keys of the destination first, after you confirm it."),
      CommandOption(name: .yes, help: "Do not ask for that confirmation."),
    ])

  private static let course = OptionGroup(
    title: "The run",
    options: [
      CommandOption(
        name: .job, value: "NAME",
        help:
          "The name of the job, under which the destination keeps how far it has come. Default: "
          + "made of the servers and the rules, so that the same command goes on where it ended."),
      CommandOption(
        name: .takeOver,
        help: "Take the job from another process that works on it, ending that one's connections."),
      CommandOption(
        name: .dryRun, short: "n",
        help: "Read the whole snapshot, report what would move, write nothing."),
      CommandOption(
        name: .once, help: "End when the snapshot is copied and the stream caught up with."),
      CommandOption(
        name: .workers, short: "w", value: "N",
        help: "The number of connections that write the snapshot. Default: chosen by the "
          + "program."),
    ])

  private static let resources = OptionGroup(
    title: "Memory, disk and time (such as 512kb 64mb 1gb, a kb is 1024 bytes; 500ms 10s 2m)",
    options: [
      CommandOption(
        name: .queueMemory, value: "SIZE", standard: "64mb",
        help: "Memory for what was received and waits for the destination."),
      CommandOption(
        name: .spoolDirectory, value: "DIR",
        help: "Where what waits goes when it outgrows that memory. Default: $TMPDIR, or "
          + "/var/tmp."),
      CommandOption(
        name: .spoolMaximum, value: "SIZE", standard: "16gb",
        help: "The most it may take there; 0 keeps off the disk. When that is full too, the "
          + "source has to wait."),
      CommandOption(
        name: .connectTimeout, value: "TIME", standard: "5s",
        help: "How long to wait for a connection."),
      CommandOption(
        name: .ioTimeout, value: "TIME", standard: "60s",
        help: "How long a server may be silent when it should answer."),
    ])

  private static let output = OptionGroup(
    title: "Output",
    options: [
      CommandOption(
        name: .logFormat, value: "FORMAT", standard: "text",
        help: "text, or json: an object on a line for every report."),
      CommandOption(
        name: .explain,
        help: "Write a line on every command of the stream: what becomes of it, and why."),
      CommandOption(name: .quiet, short: "q", help: "Write errors only."),
      CommandOption(
        name: .noProgress, help: "No display and no lines on progress; the summary stays."),
      CommandOption(name: .help, short: "h", help: "Print this and end."),
    ])
}
