import RDBParser
import ReplicaLink
import Synchronization
struct DatabaseMap: Sendable { func destination(of d: Int) -> Int { d } }
enum Printable { static func key(_ k: [UInt8]) -> String { String(decoding: k, as: UTF8.self) }
 static func key(_ k: Span<UInt8>) -> String { "x" } }
struct ProgressSnapshot { enum Phase { case connecting, waitingForSnapshot, snapshot, catchingUp, following, finished } }
struct SyncOptions: Sendable {
  var source: RedisURL; var destination: RedisURL        // passwords from file/env already merged in
  var filter: KeyFilter; var databases: DatabaseMap
  var workers: Int?                    // nil: the default
  var queueMemoryBytes: Int = 64 << 20
  var spoolDirectory: String = "/var/tmp"
  var spoolMaximumBytes: UInt64 = 16 << 30
  var onConflict: ConflictPolicy = .fail
  var timeouts: Timeouts = Timeouts()
}
final class StreamCounters: Sendable {}
struct StreamReplay: ~Copyable {
  var decoder: CommandDecoder
  let replay: Replay
  var lane: Lane
  init(decoder: consuming CommandDecoder, replay: Replay, lane: consuming Lane) { self.decoder = decoder; self.replay = replay; self.lane = lane }
  mutating func run(goal: UInt64) throws(ReplayError) { }
  func close() { lane.close() }
}
