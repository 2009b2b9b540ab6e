// A link at work for one test, and the reading of what it gives.

@testable import ReplicaLink

/// A started link and the thread to join.
final class RunningLink {
  let link: ReplicaLink
  let thread: NamedThread
  /// The events so far that are not bytes.
  private(set) var events: [LinkEvent] = []

  init(
    _ source: @escaping SourceAddress, resumingFrom place: ReplicationPlace? = nil,
    readerCount: Int = 1, memoryBytes: Int = 1 << 22, diskBytes: UInt64 = 0,
    folder: String = "/tmp", _ adjust: (inout LinkOptions) -> Void = { _ in }
  ) {
    var options = LinkOptions(
      timeouts: Timeouts(),
      spool: SpoolLimits(
        memoryBytes: memoryBytes, diskBytes: diskBytes, directory: folder, reserveBytes: 0))
    options.usesTwoChannels = false
    options.pauses.firstMilliseconds = 5
    options.pauses.longestMilliseconds = 40
    adjust(&options)
    link = ReplicaLink(
      source: source, options: options, resumingFrom: place, readerCount: readerCount)
    thread = link.start()
  }

  convenience init(
    _ url: RedisURL, memoryBytes: Int = 1 << 22, diskBytes: UInt64 = 0, folder: String = "/tmp",
    _ adjust: (inout LinkOptions) -> Void = { _ in }
  ) {
    self.init(
      { url }, memoryBytes: memoryBytes, diskBytes: diskBytes, folder: folder, adjust)
  }

  deinit { link.stop() }

  func end() {
    link.stop()
    thread.join()
  }

  /// The next event of a reader and its bytes.
  func next(_ reader: Int = 0, atMost count: Int = 100_000) throws -> (LinkEvent, [UInt8]) {
    var room = [UInt8](repeating: 0, count: count)
    let deadline = Clock.monotonicMilliseconds() + FakeMaster.patienceMilliseconds
    let event = try room.withUnsafeMutableBytes {
      try link.readers[reader].read(into: $0, untilMilliseconds: deadline)
    }
    if case .bytes(let size) = event { return (event, Array(room[..<size])) }
    if event == .timedOut {
      throw PlayError(description: "the link gives nothing more: \(link.status)")
    }
    events.append(event)
    return (event, [])
  }

  func awaitSnapshot(_ reader: Int = 0) throws -> SnapshotStart {
    while true {
      if case .snapshot(let start, _) = try next(reader).0 { return start }
    }
  }

  /// Reads `count` bytes, past events.
  func take(_ count: Int) throws -> [UInt8] {
    var taken: [UInt8] = []
    while taken.count < count { taken += try next(atMost: count - taken.count).1 }
    return taken
  }

  /// Reads what is left, and the error behind it.
  func takeRest() -> (bytes: [UInt8], error: LinkError?) {
    var taken: [UInt8] = []
    do {
      while true { taken += try next().1 }
    } catch {
      return (taken, error as? LinkError)
    }
  }

  var endError: LinkError? {
    if case .ended(let error) = link.status.phase { error } else { nil }
  }

  /// Waits until the link's state is as wanted.
  func await(_ what: String, _ condition: (LinkStatus) throws -> Bool) throws {
    try awaiting(what) { try condition(link.status) }
  }
}

/// Waits until `condition` holds.
func awaiting(_ what: String, _ condition: () throws -> Bool) throws {
  let deadline = Clock.monotonicMilliseconds() + FakeMaster.patienceMilliseconds
  while try !condition() {
    guard Clock.monotonicMilliseconds() < deadline else {
      throw PlayError(description: "in vain: \(what)")
    }
  }
}
