// A destination of the simulation: it keeps what it read, loses it by chance, and never waits.

@testable import ReplicaLink

/// What one reader has understood so far.
struct SimulatedReader {
  let index: Int
  /// The stream's bytes from `logStart` on, as this reader believes them to be.
  private(set) var log: [UInt8] = []
  private(set) var logStart: UInt64 = 0
  private(set) var isStreaming = false
  private(set) var appliedMax: UInt64 = 0
  private(set) var rewinds = 0
  private(set) var snapshots = 0
  private var snapshot: [UInt8] = []
  private var start: SnapshotStart?
  private var isAsleep = false

  init(index: Int) { self.index = index }

  var end: UInt64 { logStart + UInt64(log.count) }

  /// What was compared need not be kept.
  mutating func forget() {
    logStart = end
    log = []
  }

  mutating func step(_ world: SimulatedWorld, isQuiet: Bool) {
    if world.random.chance(300) { isAsleep.toggle() }
    if isAsleep && !isQuiet { return }
    if isStreaming { move(world, isQuiet) }
    var room = [UInt8](repeating: 0, count: 1 + world.random.below(3_000))
    let event = room.withUnsafeMutableBytes {
      try? world.spool.read(index, into: $0, untilMilliseconds: 0)
    }
    switch event {
    case nil, .timedOut: break
    case .bytes(let count):
      if isStreaming { log += room[..<count] } else { snapshot += room[..<count] }
    case .snapshot(let start, _):
      self.start = start
      snapshot = []
      isStreaming = false
      snapshots += 1
      appliedMax = 0
    case .snapshotEnd: check(world)
    case .stream(let place):
      isStreaming = true
      logStart = place.offset
      log = []
    case .rewound(let boundary):
      rewinds += 1
      goBack(to: boundary, world)
    }
  }

  /// Applies, forgets, and asks to go back, by chance.
  private mutating func move(_ world: SimulatedWorld, _ isQuiet: Bool) {
    if world.random.chance(4), end > logStart {
      appliedMax = max(appliedMax, end)
      world.spool.release(index, upTo: end)
      if world.spool.isKnownToReaders {
        world.control.acknowledge(world.readers.map(\.appliedMax).min() ?? 0)
      }
    }
    guard !isQuiet, world.random.chance(200) else { return }
    let offset = end - min(end, UInt64(world.random.below(5_000)))
    if world.spool.rewind(index, to: offset, applied: offset) == .done { goBack(to: offset, world) }
  }

  private mutating func goBack(to offset: UInt64, _ world: SimulatedWorld) {
    if offset > end {
      world.failures.append("reader \(index) is told to go back to \(offset), it is at \(end)")
    } else if offset >= logStart {
      log.removeLast(Int(end - offset))
    } else {
      logStart = offset
      log = []
    }
  }

  private func check(_ world: SimulatedWorld) {
    guard let start else { return }
    let truth = SimulatedSnapshot(start.replicationID, start.offset)
    if truth.bytes != snapshot {
      world.failures.append(
        "reader \(index) has \(snapshot.count) other bytes than the snapshot's \(truth.bytes.count)"
      )
    }
  }
}
