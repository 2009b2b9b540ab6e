// What the operator has said about commands that no rule about keys decides.

/// Choices that a router follows.
struct RoutingPolicy: Sendable {
  /// What to do with a command whose keys cannot be found.
  enum Unplaced: String, CaseIterable, Sendable {
    /// End the run with an error that names it.
    case stop
    /// Leave it out, and count it.
    case drop
    /// Send it as it is.
    case forward
  }

  /// Commands that neither the built-in table nor the source can place, and scripts of old sources
  /// that declare no keys.
  var unplaced = Unplaced.stop
  /// Channels whose messages are sent on. Sentinel's own channel never is.
  var channels: [GlobPattern] = []

  /// Sentinel's greetings: they would present the source's masters to the destination's Sentinels.
  static let sentinelChannel = Array("__sentinel__:hello".utf8)

  /// Whether a message on this channel is sent on.
  func carries(channel: Span<UInt8>) -> Bool {
    if channels.isEmpty { return false }
    if channel.count == Self.sentinelChannel.count,
      channel.begins(with: Self.sentinelChannel.span)
    {
      return false
    }
    for pattern in channels where pattern.matches(channel) { return true }
    return false
  }
}
