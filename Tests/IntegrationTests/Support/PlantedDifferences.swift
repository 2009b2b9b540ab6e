// Differences of every kind in every type, made on purpose at a destination whose keys were the same: what
// a comparison has to find, and by which name.

/// A difference made on purpose.
struct PlantedDifference {
  /// Made at both ends while they are still the same.
  let before: [[any Word]]
  /// Made at the destination afterwards.
  let after: [[any Word]]
  let key: String
  let cause: String
  /// Words that the report must have.
  var detail = ""
}

extension PlantedDifference {
  /// One of each for a run of keys under `prefix`.
  static func all(_ prefix: String, _ kind: ServerKind) -> [PlantedDifference] {
    strings(prefix) + lists(prefix) + sets(prefix) + sortedSets(prefix) + hashes(prefix, kind)
      + streams(prefix) + presence(prefix) + times(prefix)
  }

  private static func one(
    _ key: String, _ cause: String, _ before: [[any Word]], _ after: [[any Word]],
    _ detail: String = ""
  ) -> PlantedDifference {
    PlantedDifference(before: before, after: after, key: key, cause: cause, detail: detail)
  }

  private static func strings(_ p: String) -> [PlantedDifference] {
    [
      one(
        p + "s1", "value", [["SET", p + "s1", "hello"]], [["SETRANGE", p + "s1", 4, "0"]], "byte 4"),
      one(
        p + "s2", "value", [["SET", p + "s2", "hello"]], [["APPEND", p + "s2", "!"]], "5 bytes"),
      one(p + "s3", "value", [["SET", p + "s3", 100]], [["INCR", p + "s3"]]),
      one(
        p + "s4", "type", [["SET", p + "s4", 1]], [["DEL", p + "s4"], ["RPUSH", p + "s4", 1]]),
    ]
  }

  private static func lists(_ p: String) -> [PlantedDifference] {
    let push: [any Word] = ["RPUSH", p + "l", "a", "b", "c"]
    func key(_ name: String) -> [any Word] { ["RPUSH", p + name] + push[2...] }
    return [
      one(p + "l1", "value", [key("l1")], [["LSET", p + "l1", 1, "x"]], "item 1 is b"),
      one(p + "l2", "value", [key("l2")], [["RPOP", p + "l2"]], "3 items"),
      one(p + "l3", "value", [key("l3")], [["RPOPLPUSH", p + "l3", p + "l3"]], "item 0"),
    ]
  }

  private static func sets(_ p: String) -> [PlantedDifference] {
    [
      one(
        p + "u1", "value", [["SADD", p + "u1", "a", "b"]], [["SREM", p + "u1", "b"]],
        "member b is at the source only"),
      one(
        p + "u2", "value", [["SADD", p + "u2", 1, 2]], [["SADD", p + "u2", 3]],
        "member 3 is at the destination only"),
    ]
  }

  private static func sortedSets(_ p: String) -> [PlantedDifference] {
    [
      one(
        p + "z1", "value", [["ZADD", p + "z1", 1, "a", "2.5", "b"]], [["ZADD", p + "z1", 3, "b"]],
        "member b"),
      one(p + "z2", "value", [["ZADD", p + "z2", 1, "a", 2, "b"]], [["ZREM", p + "z2", "a"]]),
    ]
  }

  private static func hashes(_ p: String, _ kind: ServerKind) -> [PlantedDifference] {
    var planted = [
      one(
        p + "h1", "value", [["HSET", p + "h1", "f", 1, "g", 2]], [["HSET", p + "h1", "g", 3]],
        "field g: 2 at the source, 3 at the destination"),
      one(
        p + "h2", "value", [["HSET", p + "h2", "f", 1, "g", 2]], [["HDEL", p + "h2", "g"]],
        "field g is at the source only"),
    ]
    if kind.knowsFieldExpiry {
      let time = SampleData.farFuture
      planted.append(
        one(
          p + "h3", "field-ttl",
          [
            ["HSET", p + "h3", "f", 1, "g", 2], ["HPEXPIREAT", p + "h3", time, "FIELDS", 1, "f"],
          ], [["HPEXPIREAT", p + "h3", time + 60_000, "FIELDS", 1, "f"]], "field f"))
    }
    return planted
  }

  private static func streams(_ p: String) -> [PlantedDifference] {
    func stream(_ name: String) -> [[any Word]] {
      [
        ["XADD", p + name, "1-1", "f", "v"], ["XADD", p + name, "2-1", "f", "w"],
        ["XGROUP", "CREATE", p + name, "g", 0],
        ["XCLAIM", p + name, "g", "alice", 0, "1-1", "TIME", 1000, "RETRYCOUNT", 2, "FORCE"],
      ]
    }
    return [
      one(p + "x1", "value", stream("x1"), [["XDEL", p + "x1", "2-1"]], "entry 2-1"),
      one(p + "x2", "value", stream("x2"), [["XADD", p + "x2", "3-1", "f", "v"]], "entry 3-1"),
      one(p + "x3", "value", stream("x3"), [["XGROUP", "DESTROY", p + "x3", "g"]], "group g"),
      one(p + "x4", "value", stream("x4"), [["XACK", p + "x4", "g", "1-1"]], "pending 1-1"),
      one(
        p + "x5", "value", stream("x5"),
        [["XCLAIM", p + "x5", "g", "bob", 0, "1-1", "TIME", 1000, "RETRYCOUNT", 2]], "group g"),
      one(p + "x6", "value", stream("x6"), [["XGROUP", "SETID", p + "x6", "g", "1-1"]], "group g"),
      one(p + "x7", "value", stream("x7"), [["XSETID", p + "x7", "9-9"]], "last id"),
    ]
  }

  private static func presence(_ p: String) -> [PlantedDifference] {
    [
      one(p + "m1", "missing", [["SET", p + "m1", 1]], [["DEL", p + "m1"]]),
      one(p + "m2", "missing", [["SADD", p + "m2", 1]], [["DEL", p + "m2"]]),
      one(p + "e1", "extra", [], [["SET", p + "e1", 1]]),
      one(p + "e2", "extra", [], [["HSET", p + "e2", "a", 1]]),
    ]
  }

  private static func times(_ p: String) -> [PlantedDifference] {
    let time = SampleData.farFuture
    return [
      one(p + "t1", "ttl", [["SET", p + "t1", 1]], [["PEXPIREAT", p + "t1", time]], "never"),
      one(
        p + "t2", "ttl", [["RPUSH", p + "t2", 1], ["PEXPIREAT", p + "t2", time]],
        [["PERSIST", p + "t2"]]),
      one(
        p + "t3", "ttl", [["SADD", p + "t3", 1], ["PEXPIREAT", p + "t3", time]],
        [["PEXPIREAT", p + "t3", time + 60_000]]),
    ]
  }
}
