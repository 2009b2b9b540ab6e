// Nearly every command that writes, each on keys of its own, as an application would send it: for the
// test that the stream carries all of them.

enum CommandCatalogue {
  /// Commands for keys that begin with `p`, in an order that makes each of them do something.
  static func commands(_ p: String, _ kind: ServerKind) -> [[any Word]] {
    var all = strings(p) + bits(p) + lists(p) + sets(p) + sortedSets(p) + hashes(p) + streams(p)
    all += keyspace(p, farFuture: SampleData.farFuture)
    if kind >= .redis70 { all += sinceSeven(p) }
    if kind == .redis82 { all += sinceEight(p) }
    return all
  }

  private static func strings(_ p: String) -> [[any Word]] {
    [
      ["SET", p + "s", "a"], ["APPEND", p + "s", "b\r\n"], ["SETRANGE", p + "s", 20, "z"],
      ["GETSET", p + "s2", "x"], ["GETDEL", p + "s2"], ["SETNX", p + "s3", "x"],
      ["SETNX", p + "s3", "y"],
      ["MSET", p + "m1", 1, p + "m2", 2], ["MSETNX", p + "m3", 1, p + "m4", 2],
      ["INCR", p + "n"], ["DECRBY", p + "n", 7], ["INCRBYFLOAT", p + "f", "1.5e3"],
      ["SET", p + "e1", "v", "EX", 90_000], ["SET", p + "e2", "v", "PX", 90_000_000],
      ["SETEX", p + "e3", 90_000, "v"], ["PSETEX", p + "e4", 90_000_000, "v"],
      ["SET", p + "e5", "v", "EX", 90_000], ["SET", p + "e5", "w", "KEEPTTL"],
      ["SET", p + "e6", "v", "EX", 90_000], ["GETEX", p + "e6", "PERSIST"],
      ["SET", p + "e7", "v"], ["GETEX", p + "e7", "PX", 80_000_000],
      ["SET", p + "gone", "v", "PX", 1], ["SET", p + "xx", "v", "XX"],
      ["SET", p + "nx", "v", "NX"],
    ]
  }

  private static func bits(_ p: String) -> [[any Word]] {
    [
      ["SETBIT", p + "b1", 100, 1], ["SETBIT", p + "b2", 7, 1],
      ["BITOP", "OR", p + "b3", p + "b1", p + "b2"],
      ["BITFIELD", p + "b1", "SET", "u8", 0, 200, "INCRBY", "i5", 100, 1],
      ["PFADD", p + "h1", "a", "b"], ["PFADD", p + "h2", "c"],
      ["PFMERGE", p + "h3", p + "h1", p + "h2"],
      ["PFCOUNT", p + "h3"],
    ]
  }

  private static func lists(_ p: String) -> [[any Word]] {
    [
      ["RPUSH", p + "l", "a", "b", "c", "", "a", "d", "e"], ["LPUSHX", p + "l", "x"],
      ["RPUSHX", p + "none", "x"],
      ["LINSERT", p + "l", "BEFORE", "c", "i"], ["LSET", p + "l", 0, "set"],
      ["LREM", p + "l", 1, "a"],
      ["LPOP", p + "l", 2], ["RPOP", p + "l"], ["LTRIM", p + "l", 0, 20],
      ["RPOPLPUSH", p + "l", p + "l2"],
      ["LMOVE", p + "l", p + "l2", "RIGHT", "LEFT"], ["BLPOP", p + "l2", 1],
      ["BLMOVE", p + "l", p + "l2", "LEFT", "RIGHT", 1],
      ["SORT", p + "l", "ALPHA", "STORE", p + "sorted"], ["RPUSH", p + "l3", 1],
      ["BRPOP", p + "l3", 1],
    ]
  }

  private static func sets(_ p: String) -> [[any Word]] {
    [
      ["SADD", p + "t1", 1, 2, 3, "a"], ["SADD", p + "t2", 2, 3, 4], ["SREM", p + "t1", "a"],
      ["SMOVE", p + "t1", p + "t2", 1], ["SPOP", p + "t1"],
      ["SINTERSTORE", p + "t3", p + "t1", p + "t2"],
      ["SUNIONSTORE", p + "t4", p + "t1", p + "t2"], ["SDIFFSTORE", p + "t5", p + "t2", p + "t1"],
      ["SPOP", p + "t4", 2], ["SADD", p + "t6", "x"], ["SPOP", p + "t6", 5],
    ]
  }

  private static func sortedSets(_ p: String) -> [[any Word]] {
    [
      ["ZADD", p + "z1", 1, "a", "2.5", "b", "inf", "c"], ["ZADD", p + "z2", 5, "a", 6, "d"],
      ["ZADD", p + "z1", "GT", "CH", 9, "a"], ["ZINCRBY", p + "z1", "0.1", "b"],
      ["ZREM", p + "z1", "c"],
      ["ZUNIONSTORE", p + "z3", 2, p + "z1", p + "z2", "WEIGHTS", 2, 3],
      ["ZINTERSTORE", p + "z4", 2, p + "z1", p + "z2"],
      ["ZDIFFSTORE", p + "z5", 2, p + "z1", p + "z2"], ["ZRANGESTORE", p + "z6", p + "z3", 0, 1],
      ["ZPOPMIN", p + "z3"], ["ZPOPMAX", p + "z3"], ["BZPOPMIN", p + "z3", 1],
      ["ZREMRANGEBYRANK", p + "z2", 0, 0], ["ZREMRANGEBYSCORE", p + "z4", "-inf", 1],
      ["ZREMRANGEBYLEX", p + "z6", "-", "(a"],
      ["GEOADD", p + "g", "13.36", "38.11", "Palermo", "15.08", "37.50", "Catania"],
      ["GEOSEARCHSTORE", p + "g2", p + "g", "FROMMEMBER", "Palermo", "BYRADIUS", 500, "km"],
      ["GEORADIUS", p + "g", 15, 37, 200, "km", "STORE", p + "g3"],
    ]
  }

  private static func hashes(_ p: String) -> [[any Word]] {
    [
      ["HSET", p + "d", "a", 1, "b", 2, "", ""], ["HSETNX", p + "d", "c", 3],
      ["HMSET", p + "d", "e", "f"],
      ["HINCRBY", p + "d", "a", 41], ["HINCRBYFLOAT", p + "d", "x", "0.5"], ["HDEL", p + "d", "b"],
    ]
  }

  private static func streams(_ p: String) -> [[any Word]] {
    let x = p + "x"
    return [
      ["XADD", x, "1-1", "f", "v"], ["XADD", x, "1-2", "f", "v"], ["XADD", x, "*", "f", "v"],
      ["XADD", x, "*", "g", "w"],
      ["XADD", p + "none", "NOMKSTREAM", "*", "f", "v"], ["XGROUP", "CREATE", x, "g", 0],
      ["XGROUP", "CREATECONSUMER", x, "g", "c0"],
      ["XREADGROUP", "GROUP", "g", "c1", "COUNT", 2, "STREAMS", x, ">"],
      ["XREADGROUP", "GROUP", "g", "c2", "NOACK", "COUNT", 1, "STREAMS", x, ">"],
      ["XACK", x, "g", "1-1"],
      ["XCLAIM", x, "g", "c3", 0, "1-2"], ["XAUTOCLAIM", x, "g", "c4", 0, 0],
      ["XGROUP", "DELCONSUMER", x, "g", "c0"],
      ["XGROUP", "SETID", x, "g", "1-1"], ["XDEL", x, "1-1"], ["XTRIM", x, "MAXLEN", 3],
      ["XSETID", x, "9999999999999-1"],
      ["XGROUP", "CREATE", x, "gone", "$"], ["XGROUP", "DESTROY", x, "gone"],
    ]
  }

  private static func keyspace(_ p: String, farFuture: Int) -> [[any Word]] {
    [
      ["SET", p + "k1", 1], ["RENAME", p + "k1", p + "k2"], ["SET", p + "k3", 3],
      ["RENAMENX", p + "k3", p + "k4"],
      ["COPY", p + "k2", p + "k5"], ["COPY", p + "k2", p + "k4", "REPLACE"],
      ["EXPIRE", p + "k2", 70_000],
      ["PEXPIRE", p + "k4", 70_000_000], ["EXPIREAT", p + "k5", farFuture / 1000],
      ["PEXPIREAT", p + "k5", farFuture],
      ["PERSIST", p + "k2"], ["EXPIRE", p + "f", -1], ["TOUCH", p + "k2", p + "k4"],
      ["UNLINK", p + "m1"], ["DEL", p + "m2", p + "m3"],
      ["SET", p + "moved", 1], ["MOVE", p + "moved", 5], ["COPY", p + "k2", p + "copied", "DB", 5],
      ["MULTI"], ["SET", p + "t", 1], ["SELECT", 6], ["SET", p + "t", 2], ["SELECT", 0],
      ["INCR", p + "t"], ["EXEC"],
      [
        "EVAL", "redis.call('SET', KEYS[1], ARGV[1]) redis.call('EXPIRE', KEYS[1], 60000)", 1,
        p + "lua", "x",
      ],
      ["PUBLISH", p + "channel", "message"],
    ]
  }

  private static func sinceSeven(_ p: String) -> [[any Word]] {
    [
      ["LMPOP", 2, p + "l", p + "l2", "LEFT", "COUNT", 1], ["BLMPOP", 1, 1, p + "l2", "RIGHT"],
      ["ZMPOP", 1, p + "z2", "MIN"],
      ["BZMPOP", 1, 1, p + "z1", "MAX"], ["SET", p + "e8", "v", "GET", "EX", 60_000],
      ["EXPIRE", p + "k2", 99_000, "NX"],
      ["SPUBLISH", p + "shard", "message"],
      ["XGROUP", "CREATE", p + "x", "read", "1-2", "ENTRIESREAD", 2],
    ]
  }

  private static func sinceEight(_ p: String) -> [[any Word]] {
    let far = SampleData.farFuture
    return [
      ["HSET", p + "hf", "a", 1, "b", 2, "c", 3, "d", 4],
      ["HPEXPIREAT", p + "hf", far, "FIELDS", 2, "a", "b"],
      ["HEXPIRE", p + "hf", 80_000, "FIELDS", 1, "c"], ["HPERSIST", p + "hf", "FIELDS", 1, "b"],
      ["HGETDEL", p + "hf", "FIELDS", 1, "d"],
      ["HGETEX", p + "hf", "PXAT", far + 1, "FIELDS", 1, "b"],
      ["HSETEX", p + "hf", "PXAT", far + 2, "FIELDS", 2, "e", 5, "f", 6],
      ["HINCRBYFLOAT", p + "hf", "a", "0.5"],
      ["HPEXPIRE", p + "hf", 1, "FIELDS", 1, "f"],
      ["BITOP", "ANDOR", p + "b4", p + "b1", p + "b2", p + "b3"],
      ["XADD", p + "x8", "1-1", "a", "b"], ["XGROUP", "CREATE", p + "x8", "g", 0],
      ["XREADGROUP", "GROUP", "g", "c", "STREAMS", p + "x8", ">"],
      ["XACKDEL", p + "x8", "g", "IDS", 1, "1-1"],
      ["XADD", p + "x8", "KEEPREF", "MAXLEN", "=", 5, "2-1", "a", "b"],
      ["XDELEX", p + "x8", "DELREF", "IDS", 1, "2-1"],
    ]
  }
}
