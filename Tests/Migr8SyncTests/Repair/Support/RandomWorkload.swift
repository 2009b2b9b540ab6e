// Random commands of every kind that touches keys, on few keys of both sides of a filter, so that they
// meet often. Many fail at the source, which is as it should be: those are in no stream.

import Testing

@testable import Migr8Sync

struct RandomWorkload {
  /// Times to live are either over before a test is, or long after.
  static let longMilliseconds = 1_000_000
  /// Databases that the commands act on; the last is the one that is not selected.
  static let databases = 3

  /// The fields of hashes.
  static let fields = (0..<12).map { "w\($0)" }

  /// What has times to live.
  enum Expiring { case keys, fields }

  private var random: SeededGenerator
  private let expires: Expiring
  private let exchangesDatabases: Bool
  private var serial = 0

  init(seed: UInt64, exchangesDatabases: Bool, expires: Expiring = .keys) {
    random = SeededGenerator(seed: seed)
    self.expires = expires
    self.exchangesDatabases = exchangesDatabases
  }

  /// One or more commands that belong together.
  mutating func next() -> [[[UInt8]]] {
    serial += 1
    var commands: [[String]]
    switch pick(12) {
    case 0: commands = [["SELECT", "\(pick(Self.databases))"]]
    case 1:
      commands = [["MULTI"]]
      for _ in 0...pick(4) { commands.append(one()) }
      commands.append(["EXEC"])
    default: commands = [one()]
    }
    return commands.map { $0.map { Array($0.utf8) } }
  }

  private mutating func pick(_ count: Int) -> Int { Int.random(in: 0..<count, using: &random) }

  /// A key for a type of value: mostly one that holds it, sometimes any.
  private mutating func key(_ type: String) -> String {
    let side = pick(2) == 0 ? "in:" : "out:"
    let types = ["s", "n", "l", "e", "z", "h", "p", "x", "g", "b"]
    return side + (pick(20) == 0 ? types[pick(types.count)] : type) + "\(pick(3))"
  }

  private mutating func word() -> String { "w\(pick(12))" }
  private mutating func number() -> String { "\(pick(30))" }
  private mutating func end() -> String { pick(2) == 0 ? "LEFT" : "RIGHT" }

  private mutating func one() -> [String] {
    switch pick(12) {
    case 0: strings()
    case 1: lists()
    case 2: sets()
    case 3: sortedSets()
    case 4: hashes()
    case 5: streams()
    case 6: specials()
    case 7, 8: wholeKeys()
    case 9: expires == .keys ? expiring() : expiringFields()
    case 10: stores()
    default: pick(3) == 0 ? script() : databases()
    }
  }

  private mutating func strings() -> [String] {
    switch pick(9) {
    case 0: ["SET", key("s"), "\(serial)"]
    case 1: ["APPEND", key("s"), word()]
    case 2: ["INCRBY", key("n"), number()]
    case 3: ["MSET", key("s"), word(), key("s"), word(), key("n"), number()]
    case 4: ["MSETNX", key("s"), word(), key("n"), number()]
    case 5: ["SETRANGE", key("s"), number(), word()]
    case 6: ["GETDEL", key("s")]
    case 7: ["INCRBYFLOAT", key("n"), "0.5"]
    default: ["SETBIT", key("b"), number(), "1"]
    }
  }

  private mutating func lists() -> [String] {
    switch pick(9) {
    case 0, 1: ["RPUSH", key("l"), "\(serial)", word()]
    case 2: ["LPUSH", key("l"), "\(serial)"]
    case 3: ["LPOP", key("l")]
    case 4: ["LMOVE", key("l"), key("l"), end(), end()]
    case 5: ["RPOPLPUSH", key("l"), key("l")]
    case 6: ["BLMOVE", key("l"), key("l"), end(), end(), "0.01"]
    case 7: ["BRPOPLPUSH", key("l"), key("l"), "0.01"]
    default: pick(2) == 0 ? ["LTRIM", key("l"), "0", "8"] : ["BLPOP", key("l"), key("l"), "0.01"]
    }
  }

  private mutating func sets() -> [String] {
    switch pick(6) {
    case 0, 1: ["SADD", key("e"), word(), word(), word()]
    case 2: ["SREM", key("e"), word()]
    case 3, 4: ["SMOVE", key("e"), key("e"), word()]
    default: ["SPOP", key("e"), "2"]
    }
  }

  private mutating func sortedSets() -> [String] {
    switch pick(5) {
    case 0, 1: ["ZADD", key("z"), number(), word(), number(), word()]
    case 2: ["ZINCRBY", key("z"), "1.5", word()]
    case 3: ["ZPOPMIN", key("z")]
    default: ["ZREMRANGEBYSCORE", key("z"), "0", number()]
    }
  }

  private mutating func hashes() -> [String] {
    switch pick(4) {
    case 0, 1: ["HSET", key("h"), word(), "\(serial)", word(), word()]
    case 2: ["HDEL", key("h"), word(), word()]
    default: ["HINCRBY", key("h"), "count", number()]
    }
  }

  private mutating func streams() -> [String] {
    switch pick(6) {
    case 0, 1: ["XADD", key("x"), "*", "f", "\(serial)"]
    case 2: ["XGROUP", "CREATE", key("x"), "g", "0", "MKSTREAM"]
    case 3:
      ["XREADGROUP", "GROUP", "g", "c", "COUNT", "2", "STREAMS", key("x"), key("x"), ">", ">"]
    case 4: ["XTRIM", key("x"), "MAXLEN", "5"]
    default: ["XGROUP", "DESTROY", key("x"), "g"]
    }
  }

  private mutating func specials() -> [String] {
    switch pick(6) {
    case 0, 1: ["PFADD", key("p"), "\(serial)", word()]
    case 2: ["PFMERGE", key("p"), key("p"), key("p")]
    case 3: ["PFCOUNT", key("p")]
    case 4: ["GEOADD", key("g"), "\(pick(90))", "\(pick(80))", word(), "13.4", "52.5", "here"]
    default: ["BITOP", ["AND", "OR", "XOR"][pick(3)], key("b"), key("b"), key("b")]
    }
  }

  /// Commands on keys of any type, as long as both sides are named alike.
  private mutating func wholeKeys() -> [String] {
    let type = ["s", "l", "e", "z", "h", "p", "x", "n"][pick(8)]
    return switch pick(8) {
    case 0: ["DEL", key(type), key(type), key("s")]
    case 1: ["UNLINK", key(type)]
    case 2, 3: ["RENAME", key(type), key(type)]
    case 4: ["RENAMENX", key(type), key(type)]
    case 5: ["COPY", key(type), key(type), "REPLACE"]
    case 6: ["COPY", key(type), key(type), "DB", "\(pick(Self.databases))", "REPLACE"]
    default: ["MOVE", key(type), "\(pick(Self.databases))"]
    }
  }

  private mutating func expiring() -> [String] {
    let type = ["s", "l", "e", "z", "h"][pick(5)]
    let time = pick(2) == 0 ? "\(1 + pick(40))" : "\(Self.longMilliseconds + pick(1000))"
    return switch pick(5) {
    case 0: ["SET", key("s"), "\(serial)", "PX", time]
    case 1: ["PERSIST", key(type)]
    case 2: ["GETEX", key("s"), "PX", time]
    case 3: ["PSETEX", key("s"), time, word()]
    default: ["PEXPIRE", key(type), time]
    }
  }

  /// Relative and absolute, all far away; the source is to send them absolute.
  private mutating func expiringFields() -> [String] {
    let time = "\(Self.longMilliseconds + pick(1000))"
    return switch pick(6) {
    case 0: ["HPEXPIRE", key("h"), time, "FIELDS", "2", word(), word()]
    case 1: ["HEXPIRE", key("h"), "\(1_000 + pick(100))", "FIELDS", "1", word()]
    case 2: ["HPERSIST", key("h"), "FIELDS", "1", word()]
    case 3: ["HSETEX", key("h"), "PX", time, "FIELDS", "1", word(), "\(serial)"]
    case 4: ["HGETEX", key("h"), "PX", time, "FIELDS", "1", word()]
    default: ["HGETDEL", key("h"), "FIELDS", "1", word()]
    }
  }

  private mutating func stores() -> [String] {
    switch pick(11) {
    case 0: ["SUNIONSTORE", key("e"), key("e"), key("e")]
    case 1: ["SINTERSTORE", key("e"), key("e"), key("e")]
    case 2: ["SDIFFSTORE", key("e"), key("e"), key("e")]
    case 3: ["ZUNIONSTORE", key("z"), "2", key("z"), key("z"), "WEIGHTS", "2", "1"]
    case 4: ["ZINTERSTORE", key("z"), "2", key("z"), key("e")]
    case 5: ["ZRANGESTORE", key("z"), key("z"), "0", "5"]
    case 6: ["ZDIFFSTORE", key("z"), "2", key("z"), key("z")]
    case 7: ["SORT", key("e"), "ALPHA", "STORE", key("l")]
    case 8:
      // Not ALPHA: among equal weights that leaves the order to each server.
      [
        "SORT", key("e"), "BY", pick(2) == 0 ? "in:n*" : "o*", "GET", "in:s*", "GET", "#", "STORE",
        key("l"),
      ]
    case 9: ["GEORADIUS", key("g"), "13", "52", "5000", "km", "STORE", key("z")]
    default: ["GEOSEARCHSTORE", key("z"), key("g"), "FROMMEMBER", "here", "BYRADIUS", "9000", "km"]
    }
  }

  private mutating func script() -> [String] {
    let body = """
      if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('SET', KEYS[2], ARGV[1])
      else redis.call('SET', KEYS[1], ARGV[1]) redis.call('DEL', KEYS[2]) end
      """
    return ["EVAL", body, "2", key("s"), key("s"), "\(serial)"]
  }

  private mutating func databases() -> [String] {
    switch pick(60) {
    case 0: ["FLUSHDB"]
    case 1: pick(4) == 0 ? ["FLUSHALL"] : ["FLUSHDB", "ASYNC"]
    case 2, 3, 4: exchangesDatabases ? ["SWAPDB", "0", "1"] : ["TOUCH", key("s"), key("l")]
    case 5: ["PUBLISH", "channel", "\(serial)"]
    default: ["SET", key("s"), "\(serial)"]
    }
  }
}
