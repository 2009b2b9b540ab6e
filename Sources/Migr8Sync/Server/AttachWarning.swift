// What attaching may cost a source, in words for its operator: what was found, with numbers, and what
// to do. Decided from AttachConditions alone. Nothing here refuses a run.

/// One thing to know before the tool attaches.
struct AttachWarning: Sendable, Equatable {
  /// What it is about.
  enum Subject: Sendable, Equatable {
    case memory
    case lastSnapshot
    case backlogMemory
    case outputLimit
    case backlogSize
    case backlogTTL
    case replicasToWrite
    case disklessDelay
    case untold
  }

  let subject: Subject
  /// One line.
  let text: String

  /// How fast a snapshot is taken to be made and sent, in bytes of the source's memory, where the
  /// source has made none yet: a little below what scripts/bench sees on one machine.
  static let snapshotBytesPerSecond: UInt64 = 50 << 20
  /// A backlog should hold the writes of so many seconds.
  static let backlogSeconds: UInt64 = 60
  /// A delay of the snapshot that nobody notices.
  static let delaySecondsUnnoticed: UInt64 = 5

  /// What there is to warn of.
  static func all(_ conditions: AttachConditions) -> [AttachWarning] {
    [
      memory(conditions), lastSnapshot(conditions), backlogMemory(conditions),
      outputLimit(conditions), backlogSize(conditions), backlogTTL(conditions),
      replicasToWrite(conditions), disklessDelay(conditions), untold(conditions),
    ].compactMap { $0 }
  }

  // MARK: - Memory

  /// While the child writes, every page that changes exists twice: at worst all of them.
  private static func memory(_ conditions: AttachConditions) -> AttachWarning? {
    guard let used = conditions.usedMemoryBytes, let machine = conditions.machineMemoryBytes,
      machine > 0, used.saturatingMultiply(2) > machine
    else { return nil }
    return AttachWarning(
      subject: .memory,
      text: "the source forks for the snapshot and may need up to twice its"
        + " \(HumanNumber.bytes(used)) while it lasts; its machine has"
        + " \(HumanNumber.bytes(machine)) (attach when few writes happen, or to a replica with"
        + " --prefer-replica; whether vm.overcommit_memory is 1 there cannot be seen from here)")
  }

  private static func lastSnapshot(_ conditions: AttachConditions) -> AttachWarning? {
    guard conditions.lastSnapshotFailed else { return nil }
    return AttachWarning(
      subject: .lastSnapshot,
      text: "the source's last snapshot failed (rdb_last_bgsave_status:err), and the next may too:"
        + " its log says why, usually no memory or no disk")
  }

  /// The backlog that the first replica brings counts towards maxmemory.
  private static func backlogMemory(_ conditions: AttachConditions) -> AttachWarning? {
    guard !conditions.hasBacklog, let limit = conditions.maxmemoryBytes,
      let used = conditions.usedMemoryBytes, let backlog = conditions.backlogBytes,
      used.saturatingAdd(backlog) > limit
    else { return nil }
    return AttachWarning(
      subject: .backlogMemory,
      text: "attaching the first replica starts a backlog of \(HumanNumber.bytes(backlog)), and"
        + " \(HumanNumber.bytes(used)) of maxmemory \(HumanNumber.bytes(limit)) are used: the source"
        + " may evict keys or refuse writes (raise maxmemory first)")
  }

  // MARK: - Buffers

  /// Writes made while the snapshot is made and sent wait at the source, up to this limit.
  private static func outputLimit(_ conditions: AttachConditions) -> AttachWarning? {
    guard let limit = conditions.outputLimit, let rate = conditions.writeBytesPerSecond, rate > 0
    else { return nil }
    let seconds = snapshotSeconds(conditions)
    let needed = rate.saturatingMultiply(seconds)
    var hard = limit.hardBytes
    // From 7.0 a limit below the backlog's size counts as that size.
    if let version = conditions.version, version >= ServerVersion(7) {
      hard = max(hard, hard == 0 ? 0 : conditions.backlogBytes ?? 0)
    }
    let isOverHard = hard > 0 && needed > hard
    let softReached = limit.softBytes / rate
    let isOverSoft =
      limit.softBytes > 0 && seconds > softReached.saturatingAdd(limit.softSeconds)
    guard isOverHard || isOverSoft else { return nil }
    let allowed =
      isOverHard
      ? HumanNumber.bytes(hard)
      : "\(HumanNumber.bytes(limit.softBytes)) for \(limit.softSeconds) s"
    let wanted = setting(needed.saturatingMultiply(2))
    return AttachWarning(
      subject: .outputLimit,
      text: "client-output-buffer-limit allows a replica \(allowed), but"
        + " \(HumanNumber.bytes(needed)) may be written while the snapshot is made and sent"
        + " (\(pace(conditions, rate)) for about \(seconds) s): the source would drop the link"
        + " (CONFIG SET client-output-buffer-limit \"replica \(wanted) \(wanted) 60\")")
  }

  private static func backlogSize(_ conditions: AttachConditions) -> AttachWarning? {
    guard let size = conditions.backlogBytes, let rate = conditions.writeBytesPerSecond, rate > 0
    else { return nil }
    let needed = rate.saturatingMultiply(backlogSeconds)
    guard needed > size else { return nil }
    let held = HumanNumber.duration(
      milliseconds: Int64(clamping: size.saturatingMultiply(1000) / rate))
    return AttachWarning(
      subject: .backlogSize,
      text: "the source's backlog of \(HumanNumber.bytes(size)) holds \(held) of writes at"
        + " \(pace(conditions, rate)): a link that is down for longer costs a new snapshot"
        + " (a minute takes CONFIG SET repl-backlog-size \(setting(needed)))")
  }

  private static func backlogTTL(_ conditions: AttachConditions) -> AttachWarning? {
    guard let seconds = conditions.backlogTTLSeconds, (1..<backlogSeconds).contains(seconds),
      conditions.attachedReplicas ?? 0 == 0
    else { return nil }
    return AttachWarning(
      subject: .backlogTTL,
      text: "the source forgets its backlog \(seconds) s after its last replica has gone, and the"
        + " tool is the only one: a link that is down for longer costs a new snapshot"
        + " (CONFIG SET repl-backlog-ttl 3600)")
  }

  // MARK: - Other settings

  private static func replicasToWrite(_ conditions: AttachConditions) -> AttachWarning? {
    guard let needed = conditions.replicasToWrite, needed > 0 else { return nil }
    let attached = conditions.attachedReplicas.map { ", \($0) attached now" } ?? ""
    return AttachWarning(
      subject: .replicasToWrite,
      text: "the source takes writes only with \(needed) replicas (min-replicas-to-write"
        + "\(attached)), and the tool counts as one: it may take writes that one real replica less"
        + " has (CONFIG SET min-replicas-to-write \(needed.saturatingAdd(1)) while the run lasts)")
  }

  private static func disklessDelay(_ conditions: AttachConditions) -> AttachWarning? {
    guard let delay = conditions.disklessDelaySeconds, delay > delaySecondsUnnoticed else {
      return nil
    }
    return AttachWarning(
      subject: .disklessDelay,
      text: "the source waits \(delay) s for more replicas before it makes a snapshot"
        + " (repl-diskless-sync-delay)")
  }

  private static func untold(_ conditions: AttachConditions) -> AttachWarning? {
    guard !conditions.untold.isEmpty else { return nil }
    return AttachWarning(
      subject: .untold,
      text: "the source does not tell everything to this user, so these could not be checked:"
        + " \(conditions.untold.joined(separator: ", ")) (allow INFO and CONFIG GET, or look there)"
    )
  }

  // MARK: - Numbers

  private static func snapshotSeconds(_ conditions: AttachConditions) -> UInt64 {
    if let last = conditions.lastSnapshotSeconds, last > 0 { return last }
    return max(1, (conditions.usedMemoryBytes ?? 0) / snapshotBytesPerSecond)
  }

  private static func pace(_ conditions: AttachConditions, _ rate: UInt64) -> String {
    (conditions.writesAreUpperBound ? "at most " : "") + "\(HumanNumber.bytes(rate))/s"
  }

  /// A size as CONFIG SET takes it: whole megabytes, the next power of two.
  private static func setting(_ bytes: UInt64) -> String {
    var megabytes: UInt64 = 1
    while megabytes < bytes >> 20 || (megabytes == bytes >> 20 && bytes & 0xfffff > 0) {
      megabytes = megabytes.saturatingMultiply(2)
    }
    return "\(megabytes)mb"
  }
}
