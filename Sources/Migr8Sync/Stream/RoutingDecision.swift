// What the router answers to a command of the stream.

/// What becomes of one command. Databases and keys in it are the destination's, but for those in
/// `KeyName` and `ClearScope`, which are the source's.
enum RoutingDecision: Sendable, Equatable {
  /// Send the raw bytes, in this database, or in whichever is selected where there is none.
  case forward(database: Int?)
  /// Send this command in place of the raw one.
  case rewritten([UInt8], database: Int?, Rewriting)
  /// Nothing of it is sent. The keys it wrote are in the repair book.
  case repair([KeyName])
  /// Remove every key that the mapping brings to the destination from this part of the source, in
  /// order: after all commands before it, before all behind it.
  case clear(ClearScope)
  /// Send the raw bytes, which empty this database, or all: everything there is this run's. Its own
  /// records go with the rest where they lie there, and are to be written anew.
  case flush(database: Int?)
  /// Exchange these two databases of the destination, and the place of this run's own records.
  case swap(Int, Int)
  /// Nothing of it concerns the destination.
  case drop(DropReason)
  /// MULTI: what follows, up to `commit` or `abort`, is one transaction.
  case begin
  /// EXEC.
  case commit
  /// DISCARD.
  case abort
  /// REPLCONF GETACK: answer with the applied offset.
  case acknowledge
  /// PING, SELECT and such: nothing to send.
  case consumed
  /// The command's keys are not known: ask the source with COMMAND GETKEYS and route it again with
  /// the answer, `route(_:arguments:startOffset:askedKeys:)`.
  case needsKeys
  /// What it did cannot be carried over in commands or single keys: only a new snapshot helps.
  indirect case resynchronise(RoutingError)
  /// The run cannot go on.
  indirect case stop(RoutingError)
}

/// What a rewritten command is.
enum Rewriting: Sendable, Equatable {
  /// The part of it that matches.
  case subset
  /// Its effect on the one key that matches, as another command.
  case translated
  /// The same with the destination's names, databases or absolute times in it.
  case renamed
}

/// The part of the source's keyspace that a FLUSHDB or FLUSHALL emptied.
enum ClearScope: Sendable, Equatable {
  /// One database of the source.
  case database(Int)
  /// All databases.
  case all
}

/// Why a command is not sent on; the reasons are counted apart.
enum DropReason: Sendable, Equatable, CaseIterable {
  /// None of its keys matches.
  case otherKeys
  /// It acts on a database that is not selected.
  case otherDatabase
  /// Its matching keys are under repair: what is fetched holds its effect.
  case underRepair
  /// PUBLISH or SPUBLISH on a channel that was not asked for.
  case message
  /// FUNCTION or SCRIPT, while less than everything is mirrored.
  case code
  /// CLUSTER: about the source's own cluster.
  case cluster
  /// A command that cannot be placed, which the policy says to leave out.
  case unplaced
}
