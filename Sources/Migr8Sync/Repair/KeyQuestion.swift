// KeyQuestion: which keys does this command have? Asked of the source with COMMAND GETKEYS, for the few
// commands of which its COMMAND reply does not say it.

import ReplicaLink

/// Asks on a connection of its own, which is opened with the first question. For one thread.
struct KeyQuestion: ~Copyable {
  private let source: ServerLocator
  private let timeouts: Timeouts
  /// Rung when the run is to end.
  private let interrupt: WakePipe
  private var connection: RedisConnection?

  init(source: ServerLocator, timeouts: Timeouts, interrupt: WakePipe) {
    self.interrupt = interrupt
    self.source = source
    self.timeouts = timeouts
  }

  /// The keys of a command, given with its name.
  ///
  /// - Returns: nil when the source does not say, or may not be asked.
  mutating func keys(of command: [[UInt8]]) throws(LinkError) -> [[UInt8]]? {
    var present: RedisConnection
    if let open = connection.take() {
      present = open
    } else {
      present = try RedisConnection.open(
        try source.locate(interrupt: interrupt), timeouts: timeouts, interrupt: interrupt)
    }
    let reply = try present.command([Array("COMMAND".utf8), Array("GETKEYS".utf8)] + command)
    if let line = reply.errorLine, Self.passes(line) {
      throw LinkError(.closed, "asking \(present.peer) for the keys of a command", line)
    }
    connection = consume present
    guard let items = reply.array else { return nil }
    return items.compactMap { item in
      if case .bulk(let key) = item { return key }
      return nil
    }
  }

  /// Whether an error says nothing of the command, only that the server has no time now.
  private static func passes(_ line: String) -> Bool {
    ["BUSY ", "LOADING ", "MASTERDOWN ", "TRYAGAIN ", "CLUSTERDOWN "].contains(
      where: line.hasPrefix)
  }
}
