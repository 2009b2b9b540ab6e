// BothEnds: a source and its destinations, read in one way for every command that is about both.

import ReplicaLink

/// Where keys are read, and where which of them go.
struct BothEnds: Sendable {
  /// The server to read from, with the password from wherever it was given.
  var source: RedisURL
  /// Where which keys go: one route without `--route`; none where a command is about the source alone.
  var routes: [Route]
  /// Whether a replica of the source, where there is one, is asked in its place.
  var prefersReplica: Bool
  /// The limits on waiting for a server.
  var timeouts: Timeouts

  /// Reads both ends.
  init(_ reader: OptionReader) throws(UsageError) {
    var source = try reader.source()
    routes = try reader.routes(source: &source)
    self.source = source
    prefersReplica = reader.arguments.has(.preferReplica)
    timeouts = try reader.timeouts()
  }

  /// Reads the source of a command that may do without a destination.
  init(sourceAlone reader: OptionReader) throws(UsageError) {
    var source = try reader.source()
    var none: [RedisURL] = []
    try TLSArguments(arguments: reader.arguments).complete(
      source: &source, destinations: &none, by: .destination)
    self.source = source
    routes = []
    prefersReplica = reader.arguments.has(.preferReplica)
    timeouts = try reader.timeouts()
  }
}

/// The options of a command that is about both ends.
protocol TwoEnded {
  var ends: BothEnds { get }
}

extension TwoEnded {
  var source: RedisURL { ends.source }
  var routes: [Route] { ends.routes }
  var timeouts: Timeouts { ends.timeouts }

  /// Finds the server to read from; to be asked before every connection.
  var sourceLocator: ServerLocator {
    ServerLocator(source, timeouts: timeouts, prefersReplica: ends.prefersReplica)
  }

  /// Finds the server that a route leads to; to be asked before every connection.
  func locator(of route: Route) -> ServerLocator {
    ServerLocator(route.destination, timeouts: timeouts)
  }
}
