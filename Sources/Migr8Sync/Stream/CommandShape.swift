// CommandShape: what the router must know about a command to filter it. Where its keys are, and
// whether it may be taken apart.

/// Key positions and kind of one command.
struct CommandShape: Sendable, Equatable {
  /// How a command is treated.
  enum Kind: Sendable, Equatable {
    /// All keys at `first`/`last`/`step`: forwarded when all match, dropped when none does.
    case keyed
    /// DEL, UNLINK, TOUCH: each key stands alone.
    case splittable
    /// MSET, MSETNX: key and value pairs that stand alone.
    case splittablePairs
    /// A rule finds the keys.
    case movable(MovableKeys)
    /// Keys at `first`/`last`/`step`, and an argument that names another database.
    case crossDatabase(CrossDatabase)
    /// No keys: it acts on a database, on all of them, or on no data at all.
    case keyless(Keyless)
    /// It steers the stream itself.
    case control(Control)
    /// The source knows the command and says that it has keys, but not where: it must be asked
    /// about each one with COMMAND GETKEYS.
    case asked
  }

  /// Which of a command's keys it writes: what must be repaired when it cannot be carried over whole.
  enum Effect: Sendable, Equatable {
    /// Perhaps all of them.
    case all
    /// None that matters.
    case none
    /// The first; the others are read.
    case first
    /// The one beside the run of keys (`KeyPositions`), if it is there; the run is read.
    case extra
    /// RENAME: the first goes, the second is written.
    case rename
    /// SMOVE: the member, argument 3, leaves the first and enters the second.
    case moveMember
    /// LMOVE: an element leaves the first, at the end that argument 3 names, and enters the second.
    case moveElement
    /// RPOPLPUSH: the same, always from the right.
    case popElement
  }

  /// How keys are found that have no fixed place.
  enum MovableKeys: Sendable, Equatable {
    /// A count at an index, the keys behind it; a key at `first` too, where that is not zero.
    case counted(at: Int)
    /// EVAL and its kin: a count at index 2, which may be zero, the keys behind it.
    case script
    /// SORT: the key at `first`, a destination behind STORE, patterns behind BY and GET.
    case sort
    /// GEORADIUS: the key at `first`, a destination behind STORE or STOREDIST.
    case geoStore
    /// XREADGROUP: behind STREAMS, the first half of the rest.
    case streams
    /// MIGRATE: one key at index 3, or all behind KEYS.
    case migrate
    /// By the key specifications the source gave, which the table keeps under this number.
    case specified(Int)
  }

  /// Commands whose second key may lie in another database.
  enum CrossDatabase: Sendable, Equatable {
    /// MOVE key database.
    case move
    /// COPY source destination [DB database] [REPLACE].
    case copy
  }

  /// Commands without keys.
  enum Keyless: Sendable, Equatable {
    case flushDatabase, flushAll, swapDatabases
    /// PUBLISH, SPUBLISH.
    case message
    /// FUNCTION and SCRIPT: they change code, not data.
    case code
    /// CLUSTER: Valkey replicates SETSLOT. Never data.
    case cluster
    /// A command of the source's, perhaps of a module, that has no keys.
    case foreign
  }

  /// Commands about the stream.
  enum Control: Sendable, Equatable {
    case ping, replconf, select, multi, exec, discard
  }

  /// Where a time to live may stand that counts from now, as sources before 7.0 send it.
  enum RelativeTime: Sendable, Equatable {
    case none
    /// EXPIRE key seconds, PEXPIRE key milliseconds.
    case expire(TimeUnit)
    /// SETEX key seconds value, PSETEX key milliseconds value.
    case setWithTime(TimeUnit)
    /// SET … EX seconds, PX milliseconds.
    case setOptions
    /// GETEX … EX seconds, PX milliseconds.
    case getOptions
    /// RESTORE key milliseconds payload without ABSTTL.
    case restore
  }

  /// What a time to live is counted in.
  enum TimeUnit: Sendable, Equatable {
    case seconds, milliseconds
  }

  /// How it is treated.
  var kind: Kind
  /// Index of the first key, counting the name as 0; 0 when no key has a fixed place.
  var first = 0
  /// Index of the last key; negative counts from the end, -1 being the last argument.
  var last = 0
  /// Distance between keys.
  var step = 0
  /// Which of the keys it writes.
  var effect = Effect.all
  /// Where a relative time to live may stand.
  var relativeTime = RelativeTime.none
  /// What it makes of the time to live of a key that exists.
  var hazard = ExpiryHazard.none

  /// Whether the keys that it writes are known without all its arguments.
  var writesAtFixedPlaces: Bool { kind == .keyed && (last > 0 || effect == .first) }
}
