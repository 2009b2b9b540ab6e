// The built-in entries, verified by a test against the COMMAND reply of a real server.
//
// Sources: COMMAND of Redis 6.2.5, 7.0.15 and 8.2 and of Valkey 8.1; commands that only older
// servers have are the same there (2.6 and later never moved a key position). Blocking commands
// and such as a server rewrites before it replicates them are here too: what matters is that no
// stream of any of these versions holds a command unknown to us.

extension CommandTable {
  /// Names in lower case and their shapes.
  static var entries: [(name: String, shape: CommandShape)] {
    keyed + splittable + movable + crossDatabase + keyless + control + withRelativeTime
  }

  private static func words(
    _ text: String, _ shape: CommandShape
  ) -> [(name: String, shape: CommandShape)] {
    text.split(whereSeparator: \.isWhitespace).map { (String($0), shape) }
  }

  private static func keyed(
    _ first: Int, _ last: Int, _ step: Int, _ effect: CommandShape.Effect = .all,
    _ hazard: ExpiryHazard = .none
  ) -> CommandShape {
    CommandShape(
      kind: .keyed, first: first, last: last, step: step, effect: effect, hazard: hazard)
  }

  private static var keyed: [(name: String, shape: CommandShape)] {
    words(
      """
      append bitfield decr decrby getdel getset incr incrby incrbyfloat setbit setnx setrange
      geoadd pfadd
      hdel hgetdel hincrby hincrbyfloat hmset hset hsetnx
      linsert lpop lpush lpushx lrem lset ltrim rpop rpush rpushx
      sadd spop srem
      vadd vrem vsetattr
      xack xackdel xadd xautoclaim xclaim xdel xdelex xsetid xtrim
      zadd zincrby zpopmax zpopmin zrem zremrangebylex zremrangebyrank zremrangebyscore
      """, keyed(1, 1, 1))
      + words("expireat persist pexpireat", keyed(1, 1, 1, .all, .timeToLive))
      + words(
        "hexpire hexpireat hgetex hpersist hpexpire hpexpireat", keyed(1, 1, 1, .all, .fields))
      + words("hsetex", keyed(1, 1, 1, .all, .fieldValues))
      + words("rename renamenx", keyed(1, 2, 1, .rename))
      + words("geosearchstore zrangestore", keyed(1, 2, 1, .first))
      + words("smove", keyed(1, 2, 1, .moveMember))
      + words("blmove lmove", keyed(1, 2, 1, .moveElement))
      + words("brpoplpush rpoplpush", keyed(1, 2, 1, .popElement))
      + words("pfcount", keyed(1, -1, 1, .none))
      + words("pfmerge sdiffstore sinterstore sunionstore", keyed(1, -1, 1, .first))
      + words("blpop brpop bzpopmax bzpopmin", keyed(1, -2, 1))
      + words("bitop", keyed(2, -1, 1, .first))
      + words("xgroup pfdebug", keyed(2, 2, 1))
  }

  private static var splittable: [(name: String, shape: CommandShape)] {
    words("del touch unlink", CommandShape(kind: .splittable, first: 1, last: -1, step: 1))
      + words("mset msetnx", CommandShape(kind: .splittablePairs, first: 1, last: -1, step: 2))
  }

  private static var movable: [(name: String, shape: CommandShape)] {
    func shape(
      _ rule: CommandShape.MovableKeys, first: Int = 0, _ effect: CommandShape.Effect = .all
    ) -> CommandShape {
      CommandShape(
        kind: .movable(rule), first: first, last: first, step: first == 0 ? 0 : 1, effect: effect)
    }
    return words("zdiffstore zinterstore zunionstore", shape(.counted(at: 2), first: 1, .extra))
      + words("lmpop zmpop", shape(.counted(at: 1)))
      + words("blmpop bzmpop", shape(.counted(at: 2)))
      + words("eval evalsha fcall", shape(.script))
      + words("sort", shape(.sort, first: 1, .extra))
      + words("georadius georadiusbymember", shape(.geoStore, first: 1, .extra))
      + words("xreadgroup", shape(.streams))
      + words("migrate", shape(.migrate))
  }

  private static var crossDatabase: [(name: String, shape: CommandShape)] {
    words("move", CommandShape(kind: .crossDatabase(.move), first: 1, last: 1, step: 1))
      + words("copy", CommandShape(kind: .crossDatabase(.copy), first: 1, last: 2, step: 1))
  }

  private static var keyless: [(name: String, shape: CommandShape)] {
    words("flushdb", CommandShape(kind: .keyless(.flushDatabase)))
      + words("flushall", CommandShape(kind: .keyless(.flushAll)))
      + words("swapdb", CommandShape(kind: .keyless(.swapDatabases)))
      + words("publish spublish", CommandShape(kind: .keyless(.message)))
      + words("function script", CommandShape(kind: .keyless(.code)))
      + words("cluster", CommandShape(kind: .keyless(.cluster)))
  }

  private static var control: [(name: String, shape: CommandShape)] {
    words("ping", CommandShape(kind: .control(.ping)))
      + words("replconf", CommandShape(kind: .control(.replconf)))
      + words("select", CommandShape(kind: .control(.select)))
      + words("multi", CommandShape(kind: .control(.multi)))
      + words("exec", CommandShape(kind: .control(.exec)))
      + words("discard", CommandShape(kind: .control(.discard)))
  }

  private static var withRelativeTime: [(name: String, shape: CommandShape)] {
    func shape(
      _ time: CommandShape.RelativeTime, _ hazard: ExpiryHazard = .none
    ) -> CommandShape {
      CommandShape(
        kind: .keyed, first: 1, last: 1, step: 1, relativeTime: time, hazard: hazard)
    }
    return words("expire", shape(.expire(.seconds), .timeToLive))
      + words("pexpire", shape(.expire(.milliseconds), .timeToLive))
      + words("setex", shape(.setWithTime(.seconds)))
      + words("psetex", shape(.setWithTime(.milliseconds)))
      + words("set", shape(.setOptions, .conditional))
      + words("getex", shape(.getOptions, .timeToLive))
      + words("restore restore-asking", shape(.restore))
  }
}
