// One question to one sentinel: where is the master? No state is kept between two questions, so a
// failover is noticed by the next one.
//
// Source: the Sentinel documentation's guidelines for clients, and answers of Redis 7.0.

/// A sentinel that can be asked.
struct SentinelClient {
  /// What it says.
  enum Answer: Equatable {
    /// The master is there.
    case address(Endpoint)
    /// It knows no such master, but these.
    case unknown(known: [String])
  }

  /// The sentinel, with its own login.
  let url: RedisURL
  let timeouts: Timeouts
  let interrupt: WakePipe?

  /// Asks for the address of a master.
  ///
  /// - Throws: when it cannot be reached, refuses, or is no sentinel.
  func address(of master: String) throws(LinkError) -> Answer {
    var connection = try RedisConnection.open(url, timeouts: timeouts, interrupt: interrupt)
    let reply = try connection.command("SENTINEL", "get-master-addr-by-name", master)
    if let line = reply.errorLine { throw refusal(line) }
    if reply == .null { return .unknown(known: try masters(&connection)) }
    guard let parts = reply.array, parts.count == 2, let host = parts[0].text, !host.isEmpty,
      let port = parts[1].integer.flatMap({ UInt16(exactly: $0) }), port > 0
    else {
      throw LinkError(.protocolViolation, action, "its answer makes no sense")
    }
    return .address(.tcp(host: host, port: port))
  }

  /// The names it does know; empty when it does not say.
  private func masters(_ connection: inout RedisConnection) throws(LinkError) -> [String] {
    let entries = try connection.command("SENTINEL", "masters").array ?? []
    return entries.compactMap { entry in
      let fields = entry.array ?? []
      guard let index = fields.firstIndex(where: { $0.text == "name" }) else { return nil }
      return index + 1 < fields.count ? fields[index + 1].text : nil
    }
  }

  private var action: String { "asking the sentinel \(url.endpoint)" }

  private func refusal(_ line: String) -> LinkError {
    let error = ServerRefusal.error(line, action: action)
    if error.code == .rejected, line.lowercased().contains("unknown command") {
      return LinkError(
        .notRedis, action, "it is a server, not a sentinel",
        advice: "sentinels listen on port \(SentinelGroup.defaultPort) as a rule")
    }
    guard error.code == .authentication else { return error }
    return LinkError(
      .authentication, action, error.reason,
      advice: "a sentinel's own password: ?sentinel-password=... in the URL, or the environment")
  }
}
