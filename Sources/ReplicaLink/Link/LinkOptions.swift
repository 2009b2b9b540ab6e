// What the link is told about the source's manners, this machine's resources, and patience.

/// The settings of a link.
public struct LinkOptions: Sendable {
  /// The pauses between attempts to attach.
  public struct Pauses: Sendable {
    /// The first, in milliseconds; each further one is twice as long.
    public var firstMilliseconds: Int64 = 100
    /// The longest, in milliseconds.
    public var longestMilliseconds: Int64 = 10_000
    /// A link that held this long begins anew with the first pause, in milliseconds.
    public var forgivenMilliseconds: Int64 = 5_000

    /// The defaults.
    public init() {}
  }

  /// The limits on waiting for the source; `ioMilliseconds` is also how long it may be silent.
  public var timeouts: Timeouts
  /// The bounds of the spool.
  public var spool: SpoolLimits
  /// What `PSYNC` is called at the source.
  public var psyncCommand = "PSYNC"
  /// Whether the snapshot may come over a connection of its own, where the source offers that.
  public var usesTwoChannels = true
  /// How often in a row that may fail before it is tried no more.
  var channelFailuresMax = 2
  /// The pauses between attempts.
  public var pauses = Pauses()

  /// Settings with defaults for everything else.
  public init(timeouts: Timeouts, spool: SpoolLimits) {
    self.timeouts = timeouts
    self.spool = spool
  }
}
