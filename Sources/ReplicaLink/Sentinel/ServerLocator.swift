// ServerLocator: from what the operator named to the server to connect to now. Asked before every
// connection, so that a failover is followed.
//
//   redis://, unix://      the server itself
//   redis+sentinel://      the master that Sentinel names, once it says of itself that it is one
//   preferring a replica   of that server, the replica with the smallest lag that follows it

/// Finds the server behind a URL.
public struct ServerLocator: Sendable {
  /// What was found.
  public struct Place: Sendable {
    /// The server, never a Sentinel group.
    public var url: RedisURL
    /// What the operator should know of the choice.
    public var remark: String?
  }

  /// How long to wait between two questions while a failover is under way, in milliseconds.
  static let pauseMilliseconds: Int64 = 250

  /// What the operator named.
  public let url: RedisURL
  let timeouts: Timeouts
  /// A sentinel does nothing else.
  private let sentinelTimeouts: Timeouts
  let prefersReplica: Bool

  /// Makes a locator; nothing is asked yet.
  ///
  /// - Parameters:
  ///   - timeouts: for every server asked. The end of a failover in progress is waited for as long as for
  ///     a connection, a sentinel's answer no longer, a server's no longer than three times that: one
  ///     that hangs must not hold up the next.
  ///   - prefersReplica: whether a replica of the server will do, and is better.
  public init(_ url: RedisURL, timeouts: Timeouts, prefersReplica: Bool = false) {
    self.url = url
    let connect = timeouts.connectMilliseconds
    self.timeouts = Timeouts(
      connectMilliseconds: connect,
      ioMilliseconds: min(timeouts.ioMilliseconds, connect.multipliedReportingOverflow(by: 3).0))
    sentinelTimeouts = Timeouts(
      connectMilliseconds: connect, ioMilliseconds: min(timeouts.ioMilliseconds, connect))
    self.prefersReplica = prefersReplica
  }

  /// The server to connect to now. A plain URL answers itself at once; otherwise servers are asked.
  ///
  /// - Parameter interrupt: a bell that ends the search when it rings.
  /// - Throws: `.notMaster` and what connecting throws, with all that was tried in one line; retrying
  ///   is sane when `isRetryable` says so. `.stopped` when `interrupt` rings.
  public func locate(interrupt: WakePipe? = nil) throws(LinkError) -> RedisURL {
    try find(interrupt: interrupt).url
  }

  /// As `locate`, with what the operator should know of the choice.
  public func find(interrupt: WakePipe? = nil) throws(LinkError) -> Place {
    guard case .sentinel(let group) = url.endpoint else {
      guard prefersReplica else { return Place(url: url) }
      return try replica(of: url, try facts(of: url, interrupt), interrupt)
    }
    let deadline = Clock.monotonicMilliseconds() + timeouts.connectMilliseconds
    while true {
      let failure: LinkError
      do {
        let (master, facts) = try master(of: group, interrupt)
        return prefersReplica ? try replica(of: master, facts, interrupt) : Place(url: master)
      } catch {
        failure = error
      }
      let now = Clock.monotonicMilliseconds()
      guard failure.code == .notMaster, now < deadline else { throw failure }
      let bell = interrupt ?? WakePipe()
      let wake = bell.wait(beside: -1, for: 0, untilMilliseconds: now + Self.pauseMilliseconds)
      if wake == .rung {
        throw LinkError(.stopped, "looking for \(url.endpoint)", "stopped by request")
      }
    }
  }

  /// What a server says of its replication; nil when the user may not ask.
  func facts(
    of server: RedisURL, _ interrupt: WakePipe?
  ) throws(LinkError) -> ReplicationFacts? {
    var connection = try RedisConnection.open(server, timeouts: timeouts, interrupt: interrupt)
    let reply = try connection.command("INFO", "replication")
    if let line = reply.errorLine {
      let error = ServerRefusal.error(line, action: "asking \(connection.peer) for INFO")
      if error.code == .permission { return nil }
      throw error
    }
    return ReplicationFacts(info: reply.text ?? "")
  }

  // MARK: - Sentinel

  /// Asks the sentinels in turn until one names a server that is a master.
  private func master(
    of group: SentinelGroup, _ interrupt: WakePipe?
  ) throws(LinkError) -> (RedisURL, ReplicationFacts?) {
    var tried: Set<Endpoint> = []
    var serverFailure: LinkError?
    var unknown: LinkError?
    var failures: [(sentinel: Endpoint, error: LinkError)] = []
    for sentinel in group.sentinels {
      let answer: SentinelClient.Answer
      do {
        answer = try client(of: sentinel, interrupt).address(of: group.master)
      } catch {
        if error.code == .stopped { throw error }
        failures.append((sentinel, error))
        continue
      }
      guard case .address(let endpoint) = answer else {
        if case .unknown(let known) = answer { unknown = Self.unknown(group, sentinel, known) }
        continue
      }
      guard tried.insert(endpoint).inserted else { continue }
      do {
        return (url.at(endpoint), try verify(endpoint, interrupt))
      } catch {
        if error.code == .stopped { throw error }
        serverFailure = Self.explained(error, group, sentinel)
      }
    }
    throw serverFailure ?? unknown ?? Self.silence(group, failures)
  }

  private func client(of sentinel: Endpoint, _ interrupt: WakePipe?) -> SentinelClient {
    var address = url.at(sentinel)
    address.credentials = url.sentinelCredentials
    address.database = nil
    return SentinelClient(url: address, timeouts: sentinelTimeouts, interrupt: interrupt)
  }

  /// Makes sure that a server is a master; where the user may not ask, Sentinel is believed.
  private func verify(
    _ endpoint: Endpoint, _ interrupt: WakePipe?
  ) throws(LinkError) -> ReplicationFacts? {
    let facts = try facts(of: url.at(endpoint), interrupt)
    guard let facts, !facts.isMaster else { return facts }
    throw LinkError(
      .notMaster, "asking \(endpoint) for its role", "it is not a master",
      advice: "a failover is under way, or was not finished: try again in a moment")
  }

  // MARK: - Errors

  private static func explained(
    _ error: LinkError, _ group: SentinelGroup, _ sentinel: Endpoint
  ) -> LinkError {
    let master = ServerRefusal.printable(group.master)
    return LinkError(
      error.code, "\(error.action), the master \(master) by the word of the sentinel \(sentinel)",
      error.reason, advice: error.advice)
  }

  private static func unknown(
    _ group: SentinelGroup, _ sentinel: Endpoint, _ known: [String]
  ) -> LinkError {
    let names = known.prefix(10).map { ServerRefusal.printable($0) }.joined(separator: ", ")
    return LinkError(
      .rejected, "asking the sentinel \(sentinel)",
      "it knows no master called \(ServerRefusal.printable(group.master))",
      advice: names.isEmpty ? "check the name in the URL" : "it knows \(names)")
  }

  /// No sentinel gave an answer at all.
  private static func silence(
    _ group: SentinelGroup, _ failures: [(sentinel: Endpoint, error: LinkError)]
  ) -> LinkError {
    let reasons = failures.map { "\($0.sentinel): \($0.error.reason)" }.joined(separator: "; ")
    let first = failures.first?.error
    return LinkError(
      first?.code ?? .unresolvable,
      "asking Sentinel for the master \(ServerRefusal.printable(group.master))",
      "no sentinel gives an answer: \(reasons)", advice: first?.advice)
  }
}
