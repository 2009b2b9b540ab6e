// RateMeter: how fast things go now, from the snapshots of the last seconds.

/// The speed of a run over the last few seconds.
struct Rates: Sendable, Equatable {
  var keysPerSecond = 0.0
  var snapshotBytesPerSecond = 0.0
  var commandsPerSecond = 0.0
  var streamBytesPerSecond = 0.0
  /// When the current phase will be through at this speed, in milliseconds; `nil` when it cannot
  /// be told.
  var remainingMilliseconds: Int64?
}

/// Keeps the snapshots of a short time.
struct RateMeter: Sendable {
  /// How far back it looks, in milliseconds.
  static let windowMilliseconds: Int64 = 5_000
  /// The shortest stretch that says anything about speed.
  static let stretchMillisecondsMin: Int64 = 150
  /// What is further away than this is not foretold: a week.
  private static let remainingMillisecondsMax = 7.0 * 86_400_000

  private var samples: [ProgressSnapshot] = []

  /// Takes the next snapshot and says how fast things go; `nil` while it is too early to tell. A
  /// new phase starts afresh.
  mutating func add(_ snapshot: ProgressSnapshot) -> Rates? {
    if samples.last?.phase != snapshot.phase { samples.removeAll() }
    let start = snapshot.elapsedMilliseconds - Self.windowMilliseconds
    samples.removeAll { $0.elapsedMilliseconds < start }
    samples.append(snapshot)
    return Self.rates(from: samples[0], to: snapshot)
  }

  /// The speed between two snapshots of a phase.
  static func rates(from first: ProgressSnapshot, to last: ProgressSnapshot) -> Rates? {
    let milliseconds = last.elapsedMilliseconds - first.elapsedMilliseconds
    guard milliseconds >= stretchMillisecondsMin else { return nil }
    func perSecond(_ path: KeyPath<ProgressSnapshot, UInt64>) -> Double {
      let (one, other) = (first[keyPath: path], last[keyPath: path])
      return other > one ? Double(other - one) * 1000 / Double(milliseconds) : 0
    }
    var rates = Rates()
    rates.keysPerSecond = perSecond(\.keysRead)
    rates.snapshotBytesPerSecond = perSecond(\.snapshotBytesRead)
    rates.commandsPerSecond = perSecond(\.commandsRead)
    rates.streamBytesPerSecond = perSecond(\.appliedOffset)
    let remaining = remaining(from: first, to: last, Double(milliseconds))
    if let remaining, remaining <= remainingMillisecondsMax {
      rates.remainingMilliseconds = Int64(remaining)
    }
    return rates
  }

  private static func remaining(
    from first: ProgressSnapshot, to last: ProgressSnapshot, _ milliseconds: Double
  ) -> Double? {
    switch last.phase {
    case .snapshot, .reading:
      guard let one = first.snapshotFraction, let other = last.snapshotFraction, other > one
      else { return nil }
      return (1 - other) / (other - one) * milliseconds
    case .catchingUp:
      guard first.lagBytes > last.lagBytes else { return nil }
      return Double(last.lagBytes) / Double(first.lagBytes - last.lagBytes) * milliseconds
    case .connecting, .waitingForSnapshot, .following, .finished:
      return nil
    }
  }
}
