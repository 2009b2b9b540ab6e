// An application that keeps writing to a source: every kind of command that the stream can carry,
// on keys under two prefixes and in two databases, from a seeded random sequence.

import Glibc
import Synchronization

final class Application: Sendable {
  static let inside = "bump:"
  static let outside = "other:"
  private static let databases = [0, 3]
  private static let keysPerType = 40

  /// Commands that have been answered so far.
  let commandsDone = Atomic<Int>(0)
  private let isStopping = Atomic<Bool>(false)
  private let failure = Mutex<String?>(nil)
  private let thread = Mutex<pthread_t?>(nil)

  /// Starts to write. `pauseMicroseconds` between batches sets the rate.
  init(to server: TestServer, seed: UInt64, pauseMicroseconds: UInt32 = 3000) throws {
    let port = server.port
    print("the application's seed: \(seed)")
    thread.withLock {
      $0 = startThread { [self] in
        do {
          let client = try TestClient(port: port)
          var random = SeededRandom(seed: seed)
          try Self.prepare(client)
          while !isStopping.load(ordering: .relaxed) {
            var batch: [[any Word]] = [
              ["SELECT", Self.databases.randomElement(using: &random) ?? 0]
            ]
            for _ in 0..<10 { batch += Self.someCommands(&random) }
            _ = try client.pipeline(batch)
            commandsDone.add(batch.count, ordering: .relaxed)
            usleep(pauseMicroseconds)
          }
        } catch {
          failure.withLock { $0 = "\(error)" }
        }
      }
    }
  }

  deinit {
    isStopping.store(true, ordering: .relaxed)
  }

  /// Waits until that many more commands have been answered.
  func awaitCommands(_ count: Int) throws {
    let goal = commandsDone.load(ordering: .relaxed) + count
    try awaitCondition("the application to write", seconds: 60) {
      if let message = failure.withLock({ $0 }) { throw TestFailure("the application: \(message)") }
      return commandsDone.load(ordering: .relaxed) >= goal
    }
  }

  /// Stops writing; everything written so far has been answered.
  func stop() throws {
    isStopping.store(true, ordering: .relaxed)
    let running = thread.withLock { slot in
      defer { slot = nil }
      return slot
    }
    if let running { pthread_join(running, nil) }
    if let message = failure.withLock({ $0 }) { throw TestFailure("the application: \(message)") }
  }

  /// Consumer groups have to be there before they are read.
  private static func prepare(_ client: TestClient) throws {
    for database in databases {
      try client("SELECT", database)
      _ = try client.pipeline(
        [inside, outside].flatMap { prefix in
          (0..<keysPerType).map {
            ["XGROUP", "CREATE", "\(prefix)app:stream:\($0)", "group", "0", "MKSTREAM"]
          }
        })
    }
  }

  private static func someCommands(_ random: inout SeededRandom) -> [[any Word]] {
    let prefix = Bool.random(using: &random) ? inside : outside
    let number = Int.random(in: 0..<1_000_000, using: &random)
    func key(_ type: String, _ offset: Int = 0) -> String {
      "\(prefix)app:\(type):\((number + offset) % keysPerType)"
    }
    func bothKeys(_ type: String) -> [String] {
      [inside, outside].map { "\($0)app:\(type):\(number % keysPerType)" }
    }
    switch Int.random(in: 0..<17, using: &random) {
    case 0: return [["INCR", key("n")], ["INCRBY", key("n"), number], ["DECR", key("n", 1)]]
    case 1:
      return [["INCRBYFLOAT", key("float"), "0.5"], ["APPEND", key("text"), "x\r\n\(number)"]]
    case 2:
      return [
        ["LPUSH", key("list"), number, "b"], ["RPUSH", key("list"), ""], ["LPOP", key("list")],
      ]
    case 3:
      return [
        ["LTRIM", key("list"), 0, 50], ["LMOVE", key("list"), key("list", 1), "LEFT", "RIGHT"],
      ]
    case 4: return [["SADD", key("set"), number % 100, "m\(number % 50)"], ["SPOP", key("set")]]
    case 5: return [["SPOP", key("set"), 3], ["SMOVE", key("set"), key("set", 1), number % 100]]
    case 6:
      return [
        ["XADD", key("stream"), "MAXLEN", "~", 60, "*", "f", number], readGroup(key("stream")),
      ]
    case 7:
      return [
        ["XADD", key("stream"), "*", "f", "v", "g", number],
        ["XTRIM", key("stream"), "MAXLEN", 40],
      ]
    case 8:
      return [["HSET", key("hash"), "f\(number % 30)", number], ["HINCRBY", key("hash"), "n", 2]]
    case 9:
      return [
        ["HDEL", key("hash"), "f\(number % 30)"], ["HINCRBYFLOAT", key("hash"), "x", "1.25"],
      ]
    case 10:
      return [
        ["ZADD", key("zset"), number % 1000, "m\(number % 70)", 5, "five", 6, "six"],
        ["ZPOPMIN", key("zset")],
      ]
    case 11:
      return [["SET", key("brief"), number, "PX", 20 + number % 700], ["INCR", key("brief", 1)]]
    case 12:
      return [
        ["EXPIRE", key("n"), 100_000 + number], ["PERSIST", key("n", 2)],
        ["GETEX", key("n"), "EX", 90_000],
      ]
    case 13:
      return [
        ["DEL"] + bothKeys("text"), ["UNLINK"] + bothKeys("float"),
        ["RENAME", key("zset"), key("zset", 1)],
      ]
    case 14:
      return [
        ["MSET"] + bothKeys("text").flatMap { [$0, "\(number)"] },
        ["COPY", key("hash"), key("hash", 3), "REPLACE"],
      ]
    case 15: return transaction(bothKeys("n"), key("list"), number)
    default:
      return [
        [
          "EVAL", "redis.call('INCR', KEYS[1]) return redis.call('SETRANGE', KEYS[2], 3, ARGV[1])",
          2, key("n"), key("text"), number,
        ],
        ["PFADD", key("hll"), number], ["SETBIT", key("bits"), number % 4000, 1],
      ]
    }
  }

  private static func readGroup(_ key: String) -> [any Word] {
    ["XREADGROUP", "GROUP", "group", "one", "COUNT", 2, "STREAMS", key, ">"]
  }

  private static func transaction(_ counters: [String], _ list: String, _ number: Int)
    -> [[any Word]]
  {
    [["MULTI"]] + counters.map { ["INCRBY", $0, number] } + [["LPUSH", list, number], ["EXEC"]]
  }
}

/// SplitMix64: the same sequence for the same seed.
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
