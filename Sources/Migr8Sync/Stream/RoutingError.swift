// RoutingError: why the stream cannot be followed past a command, in one line for the operator.

/// A command that the router must not guess about.
struct RoutingError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What kind of trouble it is.
  enum Code: Sendable, Equatable {
    /// A script under a filter that does not declare its keys.
    case undeclaredKeys
    /// SWAPDB of databases that are not wholly this run's at the destination.
    case wholeDatabase
    /// Nothing is known about it.
    case unknownCommand
    /// More keys are under repair than the book takes.
    case tooManyRepairs
    /// Its arguments do not make sense.
    case malformed
    /// MULTI, EXEC or DISCARD out of turn.
    case transaction
  }

  /// What kind of trouble it is.
  let code: Code
  /// The replication offset at which the command begins.
  let offset: UInt64
  /// The whole line: command, keys, database, offset, why, and what to do.
  let description: String

  /// How many keys of each side a line shows.
  static let keysShownMax = 3

  /// - Parameters:
  ///   - name: the command's name as the source sent it.
  ///   - keys: its keys, ready to print; empty to leave them out.
  ///   - reason: why it stops, and after a semicolon what to do.
  init(
    _ code: Code, name: Span<UInt8>, keys: String = "", database: Int, offset: UInt64,
    reason: String
  ) {
    self.code = code
    self.offset = offset
    let shown = Printable.key(name)
    let subject = keys.isEmpty ? shown : "\(shown) \(keys)"
    description = "\(subject) (db \(database), offset \(offset)): \(reason)"
  }
}
