// One process works on a job at a time. The one that does holds a key at the destination that expires
// by itself, and all its connections carry its name. Whoever takes over ends those connections
// first: a process that was only paused finds its connections dead when it wakes, and, asking again,
// that the job is another's. So nothing of its can follow what its successor wrote.

import Glibc
import ReplicaLink

/// The process that works on a job, as others see it.
struct JobRunner: Sendable, Equatable {
  /// How long a lease lasts, in milliseconds; it is renewed twenty times as often.
  static let leaseMilliseconds: Int64 = 10_000

  /// `host:pid:random`, and `:unnamed` behind it where that is so.
  private(set) var id: String
  let identity: JobIdentity

  /// The end of the id of a runner whose connections carry no name: that none is listed says nothing of it.
  private static let unnamedEnd = ":unnamed"

  /// Whether the connections of the runner `id` carry its name.
  static func isNamed(_ id: String) -> Bool { !id.hasSuffix(unnamedEnd) }

  /// This process, working on a job.
  init(_ identity: JobIdentity) {
    self.identity = identity
    var host = [CChar](repeating: 0, count: 256)
    _ = gethostname(&host, host.count - 1)
    let name = String(
      decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let plain = name.filter { $0.isASCII && ($0.isLetter || $0.isNumber || "-._".contains($0)) }
    id = "\(plain):\(getpid()):\(String(UInt32.random(in: 0...UInt32.max), radix: 16))"
  }

  /// What this runner's connections call themselves.
  func connectionName(isLease: Bool) -> String {
    JobConnection.name(
      job: identity.name, database: identity.database, runner: id, isLease: isLease)
  }

  /// Gives a connection the runner's name, and notes when that is not permitted. Before `acquire`.
  mutating func name(_ connection: inout RedisConnection) throws(ReplayError) {
    let reply = try ReplayError.wrap { () throws(LinkError) in
      try connection.command("CLIENT", "SETNAME", connectionName(isLease: false))
    }
    if reply.errorLine != nil, Self.isNamed(id) { id += Self.unnamedEnd }
  }

  /// How an attempt to become the job's runner ended.
  enum Acquisition: Sendable, Equatable {
    case acquired
    /// Another one is at work: its id, and how long its lease lasts without it, in milliseconds.
    case held(by: String, milliseconds: Int64)
  }

  /// Becomes the job's runner unless another one is alive.
  ///
  /// - Parameter isForced: takes the job from a living one, as `--takeover` asks.
  /// - Throws: when the connection fails or a right is missing.
  func acquire(
    _ connection: inout RedisConnection, isForced: Bool
  ) throws(ReplayError) -> Acquisition {
    while true {
      let reply = try ask(&connection, ["SET", key, id, "NX", "PX", "\(Self.leaseMilliseconds)"])
      if reply == .null {
        guard let holder = try ask(&connection, ["GET", key]).text else { continue }
        if holder != id {
          let milliseconds = try ask(&connection, ["PTTL", key]).integer ?? 0
          let isHeld = isForced ? false : try isAtWork(holder, &connection)
          if isHeld {
            return .held(by: holder, milliseconds: max(0, milliseconds))
          }
          guard try replace(holder, &connection) else { continue }
        }
      }
      try endOthers(&connection)
      return .acquired
    }
  }

  /// Makes sure, on a new connection, that the job is still this runner's; takes it again where the
  /// lease has run out and nobody else has.
  func confirm(_ connection: inout RedisConnection) throws(ReplayError) {
    let reply = try ask(&connection, ["SET", key, id, "NX", "PX", "\(Self.leaseMilliseconds)"])
    guard reply == .null, let holder = try ask(&connection, ["GET", key]).text, holder != id else {
      return
    }
    guard try isAtWork(holder, &connection) else {
      throw ReplayError(
        "the lease of job \(identity.name) at \(connection.peer) is that of \(holder), which is not"
          + " there: this run goes on when it has run out", .transient)
    }
    throw ReplayError(
      "job \(identity.name) was taken over by \(holder); this run has ended and has written nothing"
        + " since")
  }

  /// Whether `holder`, whose lease it is, has connections. One that has none has died before a failover
  /// in which this runner's own lease was lost, or is about to come back: then it will be seen.
  private func isAtWork(
    _ holder: String, _ connection: inout RedisConnection
  ) throws(ReplayError) -> Bool {
    guard Self.isNamed(holder) else { return true }
    return try connections(&connection)?.contains { $0.runner == holder } ?? true
  }

  /// Ends the connections that this runner has given up. What they had sent may still be on its way,
  /// or wait at the destination to be read: without this it would be carried out after the checkpoint
  /// was read again, and so twice.
  ///
  /// Call it while none but `connection` and the lease's is in use.
  func endAbandoned(_ connection: inout RedisConnection) throws(ReplayError) {
    for own in try connections(&connection) ?? [] where own.runner == id && !own.isLease {
      // By default CLIENT KILL spares the connection that it comes on. Who may not end any has been warned.
      _ = try ReplayError.wrap { () throws(LinkError) in
        try connection.command("CLIENT", "KILL", "ID", own.id)
      }
    }
  }

  /// Whether the job's connections can be told from others and ended: without that nothing keeps what a
  /// given-up connection had sent from being carried out late.
  func canEndConnections(_ connection: inout RedisConnection) throws(ReplayError) -> Bool {
    guard Self.isNamed(id), try connections(&connection) != nil else { return false }
    // No client has this number: who may not ask is refused, who may ends nobody. (Not 0, which names
    // everybody to servers before 7.0.)
    let reply = try ReplayError.wrap { () throws(LinkError) in
      try connection.command("CLIENT", "KILL", "ID", "\(Int64.max)")
    }
    return reply.errorLine?.hasPrefix("NOPERM") != true
  }

  /// Makes the lease last, and does not take it again when it has vanished: before the run begins, what
  /// others have done meanwhile is not known, and beginning anew costs nothing.
  ///
  /// - Throws: when the job is not this runner's any more, without a moment's interruption.
  func prolong(_ connection: inout RedisConnection) throws(ReplayError) {
    let holder = try ask(&connection, ["GET", key]).text
    if holder == id,
      try ask(&connection, ["PEXPIRE", key, "\(Self.leaseMilliseconds)"]).integer == 1
    {
      return
    }
    let taken = holder.flatMap { $0 == id ? nil : "was taken over by \($0)" }
    let reason =
      taken
      ?? "is not this process's any more: another has taken it and ended, or the lease has run out"
    throw ReplayError(
      "job \(identity.name) \(reason); this run ends, and nothing at \(connection.peer) is removed or"
        + " written from here on")
  }

  /// What became of a lease that was to be renewed.
  enum Renewal: Sendable, Equatable {
    case renewed
    /// It had vanished, and was taken again: with it more may have.
    case retaken
    case takenOver
  }

  /// Makes the lease last.
  ///
  /// The time is prolonged without writing the id again: that could undo what another has written since
  /// the question.
  func renew(_ connection: inout RedisConnection) throws(ReplayError) -> Renewal {
    var hadVanished = false
    while true {
      if let holder = try ask(&connection, ["GET", key]).text {
        guard holder == id else {
          return try isAtWork(holder, &connection) ? .takenOver : .renewed
        }
        _ = try ask(&connection, ["PEXPIRE", key, "\(Self.leaseMilliseconds)"])
        return hadVanished ? .retaken : .renewed
      }
      hadVanished = true
      let reply = try ask(&connection, ["SET", key, id, "NX", "PX", "\(Self.leaseMilliseconds)"])
      if reply != .null { return .retaken }
      // Somebody was quicker: perhaps another thread of this process, by `confirm`.
    }
  }

  /// Gives the job back: the next runner need not wait.
  func release(_ connection: inout RedisConnection) throws(ReplayError) {
    if try ask(&connection, ["GET", key]).text == id { _ = try ask(&connection, ["DEL", key]) }
  }

  private var key: String { String(decoding: identity.runnerKey, as: UTF8.self) }

  /// Puts this runner's id where `holder` stands; false when somebody else was quicker.
  private func replace(
    _ holder: String, _ connection: inout RedisConnection
  ) throws(ReplayError) -> Bool {
    _ = try ask(&connection, ["WATCH", key])
    guard try ask(&connection, ["GET", key]).text == holder else {
      _ = try ask(&connection, ["UNWATCH"])
      return false
    }
    _ = try ask(&connection, ["MULTI"])
    _ = try ask(&connection, ["SET", key, id, "PX", "\(Self.leaseMilliseconds)"])
    return try ask(&connection, ["EXEC"]) != .null
  }

  /// Ends what connections other runners of the job still have.
  private func endOthers(_ connection: inout RedisConnection) throws(ReplayError) {
    for other in try connections(&connection) ?? [] where other.runner != id {
      // It may have gone by itself: "no such client" is as good.
      _ = try? connection.command("CLIENT", "KILL", "ID", other.id)
    }
  }

  /// The connections of the job's runners; nil when CLIENT LIST is not permitted.
  private func connections(
    _ connection: inout RedisConnection
  ) throws(ReplayError) -> [JobConnection]? {
    try JobConnection.all(&connection)?.filter {
      $0.job == identity.name && $0.database == identity.database
    }
  }

  private func ask(
    _ connection: inout RedisConnection, _ command: [String]
  ) throws(ReplayError) -> RESPValue {
    let reply = try ReplayError.wrap { () throws(LinkError) in
      try connection.command(command.map { Array($0.utf8) })
    }
    if let line = reply.errorLine {
      throw DestinationRefusal.error(
        line, command: command[0], key: identity.runnerKey, place: "", peer: connection.peer)
    }
    return reply
  }
}
