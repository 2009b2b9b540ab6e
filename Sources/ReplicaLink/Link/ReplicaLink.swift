// The link: one thread that attaches to the source as a replica and drains it into the spool, whatever
// the destinations do, and that comes back and goes on whenever the connection is lost.
//
//   ReplicaLink ─ LinkDriver ─ LinkMachine (decides)
//                     │  └──── LinkTransport (moves bytes)
//                     └─────── Spool ─▶ LinkReader, one for each destination

/// A replica's attachment to its source, on a thread of its own.
///
/// The first attachment fails with its error, unless the source says that it will be ready later.
/// After that a lost connection is made anew for ever. After `PSYNC` nothing is sent but `REPLCONF
/// ACK`, when `AcknowledgeSchedule` says so.
public final class ReplicaLink: Sendable {
  /// One for each destination.
  public let readers: [LinkReader]

  private let source: SourceAddress
  private let options: LinkOptions
  private let place: ReplicationPlace?
  private let spool: Spool
  private let control = LinkControl()

  /// Makes a link; `start()` connects it.
  ///
  /// - Parameters:
  ///   - source: yields the URL to connect to; asked before every attempt, on the link's thread.
  ///   - place: what an earlier run has applied; nil asks for a snapshot.
  ///   - readerCount: how many destinations will read, each with a cursor of its own.
  public init(
    source: @escaping SourceAddress, options: LinkOptions, resumingFrom place: ReplicationPlace?,
    readerCount: Int
  ) {
    self.source = source
    self.options = options
    self.place = place
    let spool = Spool(limits: options.spool, readerCount: readerCount, roomBell: control.bell)
    self.spool = spool
    let control = control
    readers = (0..<readerCount).map { LinkReader(spool, control, $0) }
    if let place { control.acknowledge(place.offset) }
  }

  /// Starts the thread. Once.
  public func start() -> NamedThread {
    NamedThread("link") { [self] in
      let transport = SocketTransport(
        source: source, timeouts: options.timeouts, bell: control.bell, stopBell: control.stopBell)
      let machine = LinkMachine(
        options, resumingFrom: place, seed: UInt64.random(in: .min ... .max),
        now: transport.nowMilliseconds)
      var driver = LinkDriver(machine, transport: transport, spool: spool, control: control)
      driver.run()
    }
  }

  /// Ends the link soon, for good: readers get what is there, then `.stopped`.
  public func stop() {
    control.stop()
  }

  /// The link at this moment.
  public var status: LinkStatus {
    var status = control.currentStatus
    status.spool = spool.status
    return status
  }

  /// Everything up to `offset` is applied at every destination: what the next ACK will say. Never
  /// goes down, but where the link begins anew, so does this.
  ///
  /// - Parameter generation: the beginning that the offset belongs to, as `LinkReader.generation` has it; of an
  ///   earlier one it says nothing.
  public func acknowledge(_ offset: UInt64, generation: Int) {
    spool.whileCurrent(generation) { control.acknowledge(offset) }
  }

  /// Sends an ACK now, as `REPLCONF GETACK` asks for.
  public func acknowledgeNow() {
    control.acknowledgeNow()
  }

  /// Whether the byte behind `offset` was written at the source before this link asked for it, so that
  /// its arrival says nothing of when: it comes from the backlog of a source that was lost and found.
  public func isLate(at offset: UInt64) -> Bool {
    spool.isLate(at: offset)
  }

  /// When the stream byte behind `offset` arrived, in milliseconds since 1970; nil when it has not, or
  /// was let go.
  public func receiptTime(at offset: UInt64) -> Int64? {
    spool.receiptTime(at: offset)
  }
}
