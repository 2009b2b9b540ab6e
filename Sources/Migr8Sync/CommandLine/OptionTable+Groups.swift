// The table of options, in the groups of the help. To add an option, add a line here and read it where
// the command's options are built: parser, help, suggestions, files and documentation follow.

extension OptionGroup {
  static let servers = OptionGroup(
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
          + "every db keeps its number. Instead of --route."),
      CommandOption(
        name: .sourcePasswordFile, value: "FILE",
        help: "The file whose first line is the source's password. A password also comes from "
          + "its URL, or else from MIGR8SYNC_SOURCE_PASSWORD."),
      destinationPasswordFile,
      CommandOption(
        name: .preferReplica,
        help: "Attach to the source's replica with the smallest lag, where there is one, so that "
          + "the source itself is spared the snapshot."),
      via,
      CommandOption(
        name: .psyncCommand, value: "NAME", standard: "PSYNC",
        help: "What PSYNC is called at a source that has it renamed."),
      CommandOption(
        name: .oneChannel,
        help: "Take the snapshot over the same connection as the stream, also where the source "
          + "(Redis 8, Valkey 8) offers it one of its own."),
    ])

  static let via = CommandOption(
    name: .via, value: "WAY", standard: "psync",
    help:
      "How the source is read. psync: as a replica. scan: with SCAN and DUMP, once, for services "
      + "that forbid PSYNC. That is weaker: there is no stream, and what is written while it runs may "
      + "be missing, old, or left over.")

  static let tls = OptionGroup(
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

  static let keys = OptionGroup(
    title: "Which keys",
    options: [
      CommandOption(
        name: .prefix, short: "p", value: "PREFIX", isRepeatable: true,
        help: "Move the keys that begin with these bytes. All of these may be repeated; a key "
          + "moves when any --prefix, --match or --regex says so, and no --exclude-... does. With "
          + "none of the three, every key moves."),
      CommandOption(
        name: .match, value: "GLOB", isRepeatable: true,
        help: "Move the keys that match, by the rules of Redis: * ? [a-z] [^a] \\x."),
      CommandOption(
        name: .regex, value: "REGEX", isRepeatable: true,
        help: "Move the keys in which it is found: a POSIX extended regular expression over bytes, "
          + "held by ^ and $."),
      CommandOption(
        name: .excludedPrefix, value: "PREFIX", isRepeatable: true,
        help: "Leave the keys that begin with these bytes where they are."),
      CommandOption(
        name: .excludedMatch, value: "GLOB", isRepeatable: true,
        help: "The same for keys that match."),
      CommandOption(
        name: .excludedRegex, value: "REGEX", isRepeatable: true,
        help: "The same for keys in which it is found."),
      CommandOption(
        name: .database, value: "N", isRepeatable: true,
        help: "Read only this db. May be repeated, or a list: 0,3."),
      CommandOption(
        name: .type, value: "TYPE", isRepeatable: true,
        help:
          "Copy only keys of this type: string, list, set, zset, hash, stream, module or array. "
          + "May be repeated, or a list. Decided when the snapshot is taken: a key that is left out "
          + "stays out with its later writes, one that is created later moves whatever its type, and "
          + "one that moves goes on moving whatever it becomes."),
      CommandOption(
        name: .publish, value: "GLOB", isRepeatable: true,
        help: "Pass messages of these channels on, too. May be repeated."),
      CommandOption(
        name: .onUnknown, value: "WHAT", standard: "stop",
        help: "What to do with a write command whose keys neither this program nor the source "
          + "can tell: stop, drop or forward."),
    ])

  static let places = OptionGroup(
    title: "Where they go",
    options: [
      CommandOption(
        name: .route, value: "PREFIX=URL", isRepeatable: true,
        help: "Send the keys that begin with these bytes to this server; several routes are fed "
          + "by one link. The longest prefix that fits has the key, in whatever order; with an "
          + "empty one (=URL), the rest. In place of --dest, --prefix, --match and --regex."),
      CommandOption(
        name: .rewrite, value: "OLD=NEW", isRepeatable: true,
        help:
          "Let keys that begin with OLD begin with NEW at the destination; either may be empty. "
          + "The longest OLD that fits counts. A '=' in a prefix is written \\=, here and for "
          + "--route, and a backslash \\\\."),
      CommandOption(
        name: .databaseMap, value: "N=M", isRepeatable: true,
        help: "Let db N be db M at the destination. May be repeated, or a list: 0=3,1=4."),
    ])

  static let existing = OptionGroup(
    title: "Keys that the destination has already",
    options: [
      onConflict,
      CommandOption(
        name: .clearDestination, short: "c",
        help: "Remove the matching keys of the destination first, after you confirm it."),
      CommandOption(name: .yes, help: "Do not ask for that confirmation."),
    ])

  static let course = OptionGroup(
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
        name: .force,
        help: "Go on although a check fails that would stop or spoil the run; what is ignored is "
          + "said."),
      CommandOption(
        name: .once, help: "End when the snapshot is copied and the stream caught up with."),
      workers, maximumRate,
      CommandOption(
        name: .notHandedOver,
        help: "Go on with a job that was handing over when its process died: the application still "
          + "writes to the source."),
      CommandOption(
        name: .handedOver,
        help:
          "The same, with cutover --reverse: the application writes to the destination, and the "
          + "reverse goes on."),
      CommandOption(
        name: .reverseSnapshot,
        help:
          "Let a reverse that has lost its place begin anew with a snapshot of the destination: "
          + "what the source has of the keys that moved is overwritten, or removed."),
    ])

  static let resources = OptionGroup(
    title: "Memory, disk and time (such as 512kb 64mb 1gb, a kb is 1024 bytes; 500ms 10s 2m)",
    options: [
      CommandOption(
        name: .queueMemory, value: "SIZE", standard: "64mb",
        help: "Memory for what was received and waits for the destination."),
      spoolDirectory,
      CommandOption(
        name: .spoolMaximum, value: "SIZE", standard: "16gb",
        help: "The most it may take there; 0 keeps off the disk. When that is full too, the "
          + "source has to wait."),
      connectTimeout, ioTimeout,
    ])

  static let output = OptionGroup(
    title: "Output and options from a file",
    options: [
      logFormat,
      CommandOption(
        name: .explain,
        help: "Write a line on every command of the stream: what becomes of it, and why."),
      CommandOption(name: .quiet, short: "q", help: "Write errors only."),
      CommandOption(
        name: .noProgress, help: "No display and no lines on progress; the summary stays."),
      config, help,
    ])

  static let onConflict = CommandOption(
    name: .onConflict, value: "WHAT", standard: "fail",
    help: "fail: refuse to start when the destination holds matching keys. replace: "
      + "overwrite them. skip: leave them, and their writes, alone.")

  static let spoolDirectory = CommandOption(
    name: .spoolDirectory, value: "DIR",
    help: "Where what waits goes when it outgrows that memory. Default: $TMPDIR, or "
      + "/var/tmp.")

  static let config = CommandOption(
    name: .config, value: "FILE",
    help: "Read options from a file first (-: from the standard input): one on a line, without "
      + "dashes, as in redis.conf. What can be repeated adds up; of anything else the command line "
      + "has the last word. One file serves every command.")

  static let help = CommandOption(
    name: .help, short: "h", help: "Print this and end.")

  static let destinationPasswordFile = CommandOption(
    name: .destinationPasswordFile, value: "FILE",
    help: "The file whose first line is the destination's password, or else "
      + "MIGR8SYNC_DEST_PASSWORD.")

  static let connectTimeout = CommandOption(
    name: .connectTimeout, value: "TIME", standard: "5s",
    help: "How long to wait for a connection.")

  static let ioTimeout = CommandOption(
    name: .ioTimeout, value: "TIME", standard: "60s",
    help: "How long a server may be silent when it should answer.")

  static let workers = CommandOption(
    name: .workers, short: "w", value: "N",
    help: "The number of connections that write the snapshot. Default: chosen by the program.")

  private static let maximumRate = CommandOption(
    name: .maximumRate, value: "RATE",
    help:
      "Write no more than this: keys and commands a second, bytes a second with a unit, or both: "
      + "5000, 10mb or 5000,10mb; none for no limit. 'migr8sync tell' changes it while the job runs."
  )

  static let logFormat = CommandOption(
    name: .logFormat, value: "FORMAT", standard: "text",
    help: "text, or json: an object on a line for every report.")
}

// MARK: - jobs

extension OptionGroup {
  static let jobServer = OptionGroup(
    title: "Server",
    options: [
      CommandOption(
        name: .destination, short: "d", value: "URL",
        help: "The server to look at, as in sync. With a db, only that db is looked at."),
      destinationPasswordFile, connectTimeout, ioTimeout,
    ])

  static let sourceTLS = oneSidedTLS("--source-tls-ca", side: 0)
  static let destinationTLS = oneSidedTLS("--dest-tls-ca", side: 1)

  private static func oneSidedTLS(_ example: String, side: Int) -> OptionGroup {
    OptionGroup(
      title: "TLS, for rediss:// (or as in sync: \(example), ...)",
      options: tls.options.map { option in
        var option = option
        option.oneSided = [option.oneSided[side]]
        return option
      })
  }

  static let forgetting = OptionGroup(
    title: "Forgetting",
    options: [
      CommandOption(
        name: .forget, value: "JOB",
        help: "Remove what the destination keeps of this job, after you confirm it; the keys that "
          + "were moved stay. Refused while a process works on the job, and for one that has "
          + "handed over with --reverse."),
      CommandOption(
        name: .force,
        help:
          "Forget also a job that has handed over with --reverse. End its reverse first: nothing "
          + "else keeps the same command from copying the old side over the new one."),
      CommandOption(name: .yes, help: "Do not ask for that confirmation."),
    ])

  static let jobOutput = OptionGroup(
    title: "Output and options from a file",
    options: [
      CommandOption(
        name: .logFormat, value: "FORMAT", standard: "text",
        help: "text, or json: an object on a line for every job."),
      config, help,
    ])
}
