// How this job's connections to a destination are opened: every one carries the job's and the
// runner's name, so that an operator finds them in CLIENT LIST and a later runner can end them.

import ReplicaLink

/// Opens connections to one destination.
struct DestinationConnector: Sendable {
  /// Where the destination is; asked every time.
  let locator: ServerLocator
  var timeouts: Timeouts
  /// Whose connections they are; nil where there is no job.
  let runner: JobRunner?
  /// Whether the destination has an import mode, in which it expires nothing by itself (Valkey 8.1).
  var knowsImportMode = false
  /// Whether the connections only renew the lease.
  var isForLease = false
  /// What the job's record must say for them; nil where their owner looks for himself.
  var claim: RecordClaim?

  /// Connects, logs in and says its name.
  ///
  /// - Parameter interrupt: ends this and every later wait on the connection when it rings.
  /// - Throws: `.transient`: the preflight could do the same, so whatever is in the way may pass.
  func open(interrupt: WakePipe?) throws(ReplayError) -> RedisConnection {
    do throws(LinkError) {
      var connection = try RedisConnection.open(
        try locator.locate(interrupt: interrupt), timeouts: timeouts, interrupt: interrupt)
      // A user without the right to it loses nothing but the name.
      let reply = try connection.command(
        "CLIENT", "SETNAME",
        runner?.connectionName(isLease: isForLease) ?? JobConnection.nameWithoutJob)
      // What is said unasked at the door stands where the answer should be.
      if let line = reply.errorLine, line.contains("max number of clients") {
        throw LinkError(
          .rejected, "connecting to \(connection.peer)", "it has as many clients as it may have",
          advice: "raise its maxclients, or see who they are in CLIENT LIST")
      }
      return connection
    } catch {
      throw ReplayError(error.description, error.code == .stopped ? .interruption : .transient)
    }
  }

  /// Connects, selects the db of the record, and makes sure that the job is still this runner's, and was
  /// nobody else's meanwhile: asked behind the name, so that whoever takes over then sees the connection
  /// and ends it. Without a job there is nothing to be sure of.
  func openAsRunner(interrupt: WakePipe?) throws(ReplayError) -> RedisConnection {
    var connection = try open(interrupt: interrupt)
    guard let runner else { return connection }
    _ = try DestinationReplay.ask(
      &connection, [Array("SELECT".utf8), Array("\(runner.identity.database)".utf8)])
    try runner.confirm(&connection)
    try claim?.confirm(runner.identity, &connection)
    return connection
  }

  /// The same for a pipeline, which sees keys that have expired when the destination is in import mode.
  ///
  /// - Parameter clocks: is told whether it is.
  func openForWriting(
    interrupt: WakePipe?, _ clocks: DestinationClocks
  ) throws(ReplayError) -> RedisConnection {
    var connection = try openAsRunner(interrupt: interrupt)
    guard knowsImportMode else { return connection }
    let reply = try ReplayError.wrap { () throws(LinkError) in
      try connection.command("CLIENT", "IMPORT-SOURCE", "ON")
    }
    clocks.noteImport(reply.errorLine == nil)
    return connection
  }
}
