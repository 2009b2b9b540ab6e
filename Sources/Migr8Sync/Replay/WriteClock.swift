// The age of each command as the replay sees it: too late now, or in time for all that is known.

import ReplicaLink

/// Judges commands before they are sent. What is sent in time may still arrive late: the replies are
/// judged as well (`PipelineWire`), so this only saves repairs, and is never trusted.
struct WriteClock: Sendable {
  private let source: SourcePulse
  private let clocks: DestinationClocks
  private let progress: ReplayProgress
  private var pulse = Pulse()
  private var generation: UInt64 = 0
  private var lateOffset: UInt64 = 0

  init(_ source: SourcePulse, _ progress: ReplayProgress) {
    self.source = source
    self.progress = progress
    clocks = progress.clocks
    source.want()
  }

  /// When the command from `start` to `end` was written at the earliest, on the monotonic clock, and whether
  /// it comes too late.
  mutating func read(_ start: UInt64, _ end: UInt64) -> (written: Int64, isLate: Bool) {
    let now = source.generation.load(ordering: .acquiring)
    if now != generation {
      generation = now
      let reading = source.reading
      pulse = reading.pulse
      if let offset = reading.clockOffset { clocks.noteSource(offset) }
    }
    let written = pulse.earliest(at: start) ?? DestinationClocks.unknown
    let (age, excess) = clocks.allowance
    let isLate =
      Clock.monotonicMilliseconds() - written > age
      || written < clocks.lateMilliseconds + excess
      || progress.appliedOffset.load(ordering: .relaxed) < lateOffset
    // Only an old one makes those behind it late: not what is late because of another.
    if Clock.monotonicMilliseconds() - written > age { lateOffset = end }
    return (written, isLate)
  }
}
