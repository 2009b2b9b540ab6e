// What the router answers to a command of the stream.

/// What becomes of one command.
enum RoutingDecision: Sendable, Equatable {
  /// Send the raw bytes, which act on this database of the source.
  case forward(database: Int)
  /// Send these bytes in place of the raw ones: the part that matches.
  case forwardSubset([UInt8], database: Int)
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
  /// The run cannot go on.
  indirect case stop(RoutingError)
}

/// Why a command is not sent on; the reasons are counted apart.
enum DropReason: Sendable, Equatable, CaseIterable {
  /// None of its keys matches.
  case otherKeys
  /// It acts on a database that is not selected.
  case otherDatabase
  /// PUBLISH or SPUBLISH.
  case message
  /// FUNCTION or SCRIPT, while less than everything is mirrored.
  case code
  /// CLUSTER: about the source's own cluster.
  case cluster
}
