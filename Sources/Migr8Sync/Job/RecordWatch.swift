// What a run has last seen of its job's record, or written into it, from the moment that it took the job. What
// the record says beyond that is the doing of another run, of which this one has noticed nothing: it was
// asleep, or cut off.

import ReplicaLink
import Synchronization

/// A run's view of the record at one destination; its threads share it.
final class RecordWatch: Sendable {
  /// What the record says, as far as no checkpoint changes it.
  private struct View {
    var mark: RecordMark?
    /// What is being written: that may be there though no answer came.
    var next: RecordMark?
    /// Nil where the server may not be asked.
    var server: ServerIdentity?
    /// Whether connections of this run may survive that another one takes the job over.
    var connectionsSurvive = false
    /// How often any of it has changed.
    var changes = 0
  }

  /// What a look has come to.
  enum Finding: Sendable, Equatable {
    /// The record is as this run has left it, or seen it.
    case same
    /// It is at another server than before, or at one that has restarted: what it says now is taken up.
    case atAnotherServer
  }

  private let identity: JobIdentity
  private let view = Guarded(View())
  /// Up to where the run has applied the stream, once it has ended.
  private let end = Atomic<UInt64>(.max)

  /// Nothing is known yet.
  init(_ identity: JobIdentity) {
    self.identity = identity
  }

  /// What the record said last; nil without one.
  var mark: RecordMark? { view.withLock { $0.mark } }

  /// Where that was; nil where the server may not be asked.
  var server: ServerIdentity? { view.withLock { $0.server } }

  /// The first look, at the moment that the job is taken: whatever is there is where this run begins.
  ///
  /// - Parameter connectionsSurvive: whether nobody may end this run's connections.
  func begin(
    _ connection: inout RedisConnection, connectionsSurvive: Bool
  ) throws(ReplayError) {
    let server = try ServerIdentity.read(&connection)
    let mark = try RecordMark.read(identity, &connection)
    view.withLock {
      $0 = View(mark: mark, server: server, connectionsSurvive: connectionsSurvive)
    }
  }

  /// Looks whether all is as it was, and takes up what a server says that has lost it. The connection is on
  /// the record's db.
  ///
  /// - Throws: `.failure` when another run has worked on the job, or has ended it.
  func confirm(_ connection: inout RedisConnection) throws(ReplayError) -> Finding {
    let server = try ServerIdentity.read(&connection)
    let found = try RecordMark.read(identity, &connection)
    let known = view.withLock { $0 }
    // Of a server that says nothing of itself it is not known whether it has lost something.
    let isSame = server.map { now in known.server.map { now.continues($0) } ?? false } ?? false
    let isOurs = found == known.mark || (found != nil && found == known.next)
    guard !isSame || isOurs else {
      throw found == nil ? vanished(connection.peer) : isOfAnotherRun(connection.peer)
    }
    view.withLock {
      ($0.mark, $0.next, $0.server) = (found, nil, server)
      $0.changes += 1
    }
    return isSame ? .same : .atAnotherServer
  }

  /// Looks, beside whoever writes, whether the record is another run's by now.
  ///
  /// - Returns: what ends this run then.
  func look(_ connection: inout RedisConnection) throws(ReplayError) -> ReplayError? {
    let before = view.withLock { $0 }
    let found = try RecordMark.read(identity, &connection)
    guard let found, found != before.mark, found != before.next, let known = before.server,
      let server = try ServerIdentity.read(&connection), server.continues(known),
      view.withLock({ $0.changes == before.changes })
    else { return nil }
    return isOfAnotherRun(connection.peer)
  }

  /// Right before the record is written: it may say `mark` from now on.
  func willWrite(_ mark: RecordMark?) {
    view.withLock {
      $0.next = mark
      $0.changes += 1
    }
  }

  /// It does.
  func hasWritten() {
    view.withLock {
      ($0.mark, $0.next) = ($0.next, nil)
      $0.changes += 1
    }
  }

  /// What connections for the snapshot that the record speaks of are to make sure of.
  var claim: RecordClaim? {
    view.withLock { view in
      view.mark.map {
        RecordClaim(snapshot: $0, at: view.server, connectionsSurvive: view.connectionsSurvive)
      }
    }
  }

  // MARK: - The end

  /// The run is over, with everything up to `offset` applied.
  func end(at offset: UInt64) { end.store(offset, ordering: .releasing) }

  /// Makes sure that nobody has gone on with the job since the run was over.
  func confirmEnd(_ connection: inout RedisConnection) throws(ReplayError) {
    _ = try confirm(&connection)
    let command = [Array("HGET".utf8), identity.recordKey, Array("offset".utf8)]
    let offset = try DestinationReplay.ask(&connection, command).integer ?? 0
    if UInt64(clamping: offset) > end.load(ordering: .acquiring) {
      throw isOfAnotherRun(connection.peer)
    }
  }

  // MARK: - Words

  private func isOfAnotherRun(_ peer: String) -> ReplayError {
    RecordMark.isOfAnotherRun(
      identity, at: peer, hasWritten: view.withLock { $0.connectionsSurvive })
  }

  private func vanished(_ peer: String) -> ReplayError {
    ReplayError(
      "job \(identity.name) is not known at \(peer) any more, and the server has not restarted: the job"
        + " was ended by another run, or somebody has emptied the server; nothing was written since (to"
        + " move everything again, run the same command again)")
  }
}
