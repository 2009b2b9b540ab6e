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
  private let thread = WritingThread()

  /// Starts to write. `pauseMicroseconds` between batches sets the rate; without `brief` keys none
  /// expires, so that a destination which lags for seconds has nothing to expire by its own clock.
  init(
    to server: TestServer, seed: UInt64, pauseMicroseconds: UInt32 = 3000, brief: Bool = true
  ) throws {
    let port = server.port
    print("the application's seed: \(seed)")
    thread.start { [weak self] in
      let client = try TestClient(port: port)
      var random = SeededRandom(seed: seed)
      try Self.prepare(client)
      return {
        var batch: [[any Word]] = [
          ["SELECT", Self.databases.randomElement(using: &random) ?? 0]
        ]
        for _ in 0..<10 { batch += Self.someCommands(&random) }
        if !brief {
          batch.removeAll { $0.count > 1 && "\($0[1])".contains(":brief:") }
        }
        _ = try client.pipeline(batch)
        self?.commandsDone.add(batch.count, ordering: .relaxed)
        usleep(pauseMicroseconds)
      }
    }
  }

  deinit { thread.endSoon() }

  /// Waits until that many more commands have been answered.
  func awaitCommands(_ count: Int) throws {
    let goal = commandsDone.load(ordering: .relaxed) + count
    try awaitCondition("the application to write", seconds: 60) {
      try thread.throwFailure()
      return commandsDone.load(ordering: .relaxed) >= goal
    }
  }

  /// Stops writing; everything written so far has been answered.
  func stop() throws { try thread.stop() }

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

  /// The names that a batch of commands is about.
  private struct Names {
    let prefix: String
    let number: Int

    func one(_ type: String, _ offset: Int = 0) -> String {
      "\(prefix)app:\(type):\((number + offset) % keysPerType)"
    }

    /// The same name under either prefix: a command with both crosses the filter.
    func both(_ type: String) -> [String] {
      [inside, outside].map { "\($0)app:\(type):\(number % keysPerType)" }
    }
  }

  private static func someCommands(_ random: inout SeededRandom) -> [[any Word]] {
    let names = Names(
      prefix: Bool.random(using: &random) ? inside : outside,
      number: Int.random(in: 0..<1_000_000, using: &random))
    switch Int.random(in: 0..<4, using: &random) {
    case 0: return strings(names, Int.random(in: 0..<6, using: &random))
    case 1: return collections(names, Int.random(in: 0..<6, using: &random))
    case 2: return streamsAndHashes(names, Int.random(in: 0..<4, using: &random))
    default: return acrossKeys(names, Int.random(in: 0..<5, using: &random))
    }
  }

  private static func strings(_ names: Names, _ choice: Int) -> [[any Word]] {
    let (n, number) = (names.one("n"), names.number)
    return switch choice {
    case 0: [["INCR", n], ["INCRBY", n, number], ["DECR", names.one("n", 1)]]
    case 1:
      [
        ["INCRBYFLOAT", names.one("float"), "0.5"],
        ["APPEND", names.one("text"), "x\r\n\(number)"],
      ]
    case 2:
      [
        ["SET", names.one("brief"), number, "PX", 20 + number % 700],
        ["INCR", names.one("brief", 1)],
      ]
    case 3:
      [
        ["EXPIRE", n, 100_000 + number], ["PERSIST", names.one("n", 2)],
        ["GETEX", n, "EX", 90_000],
      ]
    case 4:
      [["PFADD", names.one("hll"), number], ["SETBIT", names.one("bits"), number % 4000, 1]]
    default:
      [
        ["SETRANGE", names.one("text"), number % 50, "\(number)"],
        ["GETDEL", names.one("float", 2)],
      ]
    }
  }

  private static func collections(_ names: Names, _ choice: Int) -> [[any Word]] {
    let (list, set, zset, number) = (
      names.one("list"), names.one("set"), names.one("zset"), names.number
    )
    return switch choice {
    case 0: [["LPUSH", list, number, "b"], ["RPUSH", list, ""], ["LPOP", list]]
    case 1: [["LTRIM", list, 0, 50], ["LMOVE", list, names.one("list", 1), "LEFT", "RIGHT"]]
    case 2: [["SADD", set, number % 100, "m\(number % 50)"], ["SPOP", set]]
    case 3: [["SPOP", set, 3], ["SMOVE", set, names.one("set", 1), number % 100]]
    case 4:
      [["ZADD", zset, number % 1000, "m\(number % 70)", 5, "five", 6, "six"], ["ZPOPMIN", zset]]
    default: [["ZINCRBY", zset, "0.25", "five"], ["RENAME", zset, names.one("zset", 1)]]
    }
  }

  private static func streamsAndHashes(_ names: Names, _ choice: Int) -> [[any Word]] {
    let (stream, hash, number) = (names.one("stream"), names.one("hash"), names.number)
    return switch choice {
    case 0: [["XADD", stream, "MAXLEN", "~", 60, "*", "f", number], readGroup(stream)]
    case 1: [["XADD", stream, "*", "f", "v", "g", number], ["XTRIM", stream, "MAXLEN", 40]]
    case 2: [["HSET", hash, "f\(number % 30)", number], ["HINCRBY", hash, "n", 2]]
    default: [["HDEL", hash, "f\(number % 30)"], ["HINCRBYFLOAT", hash, "x", "1.25"]]
    }
  }

  /// Commands that are split at the filter, kept atomic, or read one key and write another.
  private static func acrossKeys(_ names: Names, _ choice: Int) -> [[any Word]] {
    let number = names.number
    return switch choice {
    case 0: [["DEL"] + names.both("text"), ["UNLINK"] + names.both("float")]
    case 1: [["MSET"] + names.both("text").flatMap { [$0, "\(number)"] }]
    case 2: [["COPY", names.one("hash"), names.one("hash", 3), "REPLACE"]]
    case 3: transaction(names.both("n"), names.one("list"), number)
    default: [["EVAL", script, 2, names.one("n"), names.one("text"), number]]
    }
  }

  private static let script =
    "redis.call('INCR', KEYS[1]) return redis.call('SETRANGE', KEYS[2], 3, ARGV[1])"

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
