// SyncOptions: everything `migr8sync sync` was told, checked and with its defaults filled in.
//
// Made by SyncOptions+Parsing.swift; from here on nothing reads the command line again.

import ReplicaLink

/// The options of one `sync`.
struct SyncOptions: TwoEnded, Sendable {
  /// The source and where which keys go: at least one route.
  var ends: BothEnds
  /// The job's name; nil makes one of the servers and the rules.
  var jobName: String?
  /// Whether the job is taken from another process that works on it.
  var takesOver: Bool
  /// What to do where keys decide nothing.
  var policy: RoutingPolicy
  /// Whether every decision about a command is printed.
  var explains: Bool
  /// The number of loaders; `nil` leaves it to the program.
  var workers: Int?
  /// The most that is written in a second.
  var maximumRate: RateLimit
  /// Whether a job that was handing over when its process died goes on all the same.
  var ignoresHandOver: Bool
  /// Whether a job whose process died then is known to have handed over, so that its reverse goes on.
  var isHandedOver: Bool
  /// Whether a reverse that has lost its place may begin anew with a snapshot.
  var takesReverseSnapshot: Bool
  /// The job that this one is the reverse of, as its destination knows it; nil for a job itself.
  var reverses: JobIdentity?
  /// Memory for bytes that were received and not applied yet, in bytes.
  var queueMemoryBytes: Int
  /// Where that queue goes when it outgrows its memory.
  var spoolDirectory: String
  /// The most the queue may take of the disk, in bytes; 0 keeps it off the disk.
  var spoolMaximumBytes: UInt64
  /// What to do with a key that the destination has already.
  var onConflict: ConflictPolicy
  /// Whether the destination's matching keys are removed first.
  var clearsDestination: Bool
  /// Whether that is done without asking.
  var assumesYes: Bool
  /// Whether to read and report only.
  var isDryRun: Bool
  /// Whether it goes on although a check fails.
  var isForced: Bool
  /// Whether to end once the snapshot is copied and the stream caught up with.
  var once: Bool
  /// What `PSYNC` is called at the source.
  var psyncCommand: String
  /// Whether the snapshot may come over a connection of its own.
  var usesTwoChannels: Bool
  var view: OutputView
  /// What the operator should know of the options themselves.
  var warnings: [String]
}
