// A connection of a job as a destination lists it. Every connection a run makes there carries a name, so
// that others see who works on what, and whoever takes over can end it.
//
//   migr8sync:JOB:DB:host:pid:random           of a lane, a loader, a question
//   migr8sync:JOB:DB:host:pid:random:lease     of the thread that renews the lease
//
// DB is the db of the job's record: one run may work on the same job in two dbs of a server.

import ReplicaLink

/// One connection in CLIENT LIST that belongs to some job.
struct JobConnection: Sendable, Equatable {
  /// The number that CLIENT KILL knows it by.
  let id: String
  let job: String
  /// The db where the job's record lies.
  let database: Int
  let runner: String
  /// Whether it does nothing but renew the lease.
  let isLease: Bool

  private static let beginning = "migr8sync:"
  private static let leaseEnd = ":lease"

  /// What a connection calls itself that belongs to no job.
  static let nameWithoutJob = "migr8sync"

  /// What a connection is to call itself.
  static func name(job: String, database: Int, runner: String, isLease: Bool) -> String {
    "\(beginning)\(job):\(database):\(runner)\(isLease ? leaseEnd : "")"
  }

  /// The connections of all jobs; nil when CLIENT LIST is not permitted.
  static func all(
    _ connection: inout RedisConnection
  ) throws(ReplayError) -> [JobConnection]? {
    let reply = try ReplayError.wrap { () throws(LinkError) in
      try connection.command("CLIENT", "LIST")
    }
    guard reply.errorLine == nil, let text = reply.text else { return nil }
    return text.split(separator: "\n").compactMap { JobConnection(line: $0) }
  }

  /// Reads a line of CLIENT LIST; nil for a connection of anybody else.
  init?(line: Substring) {
    var number: Substring?
    var name: Substring?
    for field in line.split(separator: " ") {
      if field.hasPrefix("id=") { number = field.dropFirst(3) }
      if field.hasPrefix("name=") { name = field.dropFirst(5) }
    }
    guard let number, let name, name.hasPrefix(Self.beginning) else { return nil }
    // The name of a job has no colon.
    let parts = name.dropFirst(Self.beginning.count).split(separator: ":", maxSplits: 2)
    guard parts.count == 3, JobIdentity.isName(String(parts[0])), let database = Int(parts[1])
    else { return nil }
    id = String(number)
    job = String(parts[0])
    self.database = database
    isLease = parts[2].hasSuffix(Self.leaseEnd)
    runner = String(isLease ? parts[2].dropLast(Self.leaseEnd.count) : parts[2])
  }
}
