"""What an application may send: a form, or several, of every write command, for scripts/differential.

A line is a command with holes. Words that begin with a capital are filled in by the workload: Str, List,
Set … are keys of that kind, Any is a key of any kind; `+` repeats one to three times, `#` also puts the
count in front, `a/b` is a choice, `[ ]` are there or not, `( )` belong together. A number in front says
how often the line is drawn beside the others, which have 10.
"""

FORMS = """
20 append Str Value
bitfield Bit set u8 Int Int incrby i5 Int Int
bitop and/or/xor Bit Bit+
3 bitop not Bit Bit
5 blmove List List Side Side 0.01
5 blmpop 0.01 #List Side count 2
5 blpop List+ 0.01
5 brpop List+ 0.01
5 brpoplpush List List 0.01
5 bzmpop 0.01 #Zset min/max
5 bzpopmax Zset+ 0.01
5 bzpopmin Zset+ 0.01
20 copy Any Any [ replace ]
copy Any Any db Db [ replace ]
5 decr Num
decrby Num Int
20 del Any+
eval @append 2 Str Str Value
eval @spread 3 List Set Hash Member
eval @choose 2 Str Str Value
5 eval @elsewhere 1 Str Db Value
evalsha @append 2 Str Str Value
evalsha @choose 2 Str Str Value
expire Any Sec
5 expire Any Sec nx/xx/gt/lt
3 expire Any -1
expireat Any AtSec
fcall put 2 Str Str Value
fcall spread 3 List Set Hash Member
0.3 flushall
0.3 flushall async
0.3 flushdb
0.3 flushdb async
1 function delete first/second
1 function flush
2 function load [ replace ] @first/@second
20 geoadd Geo ( Degree Degree Member )+
georadius Geo 13 40 9000 km store Zset
5 georadius Geo 13 40 9000 km storedist Geo
georadiusbymember Geo Member 9000 km store Zset
geosearchstore Zset Geo frommember Member byradius 9000 km [ storedist ]
getdel Str
getex Str px Ms
5 getex Str persist/ex/exat Sec
3 getex Str persist
getset Str Value
hdel Hash Field+
hexpire Hash Sec fields #Field
hexpireat Hash AtSec fields #Field
hgetdel Hash fields #Field
hgetex Hash px Ms fields #Field
3 hgetex Hash persist fields #Field
hincrby Hash count Int
hincrbyfloat Hash rate Float
hmset Hash ( Field Value )+
hpersist Hash fields #Field
hpexpire Hash Ms fields #Field
5 hpexpire Hash Ms nx/xx/gt/lt fields #Field
hpexpireat Hash AtMs fields #Field
30 hset Hash ( Field Value )+
hsetex Hash px Ms fields #( Field Value )
3 hsetex Hash keepttl fields #( Field Value )
hsetnx Hash Field Value
incr Num
20 incrby Num Int
incrbyfloat Num Float
linsert List before/after Member Member
20 lmove List List Side Side
lmpop #List Side [ count 2 ]
lpop List [ 2 ]
20 lpush List Member+
lpushx List Value+
lrem List 0/1/-1 Member
lset List 0/-1 Value
3 ltrim List 0 8
move Any Db
20 mset ( Str Value )+
mset ( Any Member )+
msetnx ( Str Value )+
persist Any
pexpire Any Ms
pexpireat Any AtMs
20 pfadd Hll Member+
pfcount Hll+
2 pfdebug todense Hll
pfmerge Hll Hll+
psetex Str Ms Value
5 publish channel Value
20 rename Any Any
renamenx Any Any
rpop List [ 2 ]
rpoplpush List List
30 rpush List Member+
rpushx List Value
30 sadd Set Member+
2 script flush
script load @append/@choose
sdiffstore Set Set+
30 set Str Value
set Any Value
set Str Value px Ms
set Str Value ex Sec
5 set Str Value exat AtSec
5 set Str Value pxat AtMs
set Str Value keepttl
set Str Value nx/xx
5 set Str Value nx/xx ex Sec
3 set Str Value get
20 set Num Int
setbit Bit Int 0/1
setex Str Sec Value
setnx Str Value
setrange Str Int Value
sinterstore Set Set+
20 smove Set Set Member
sort Set alpha store List
sort Set/List by Pattern get Pattern get # store List
5 sort List alpha desc limit 0 5 store Any
spop Set [ 2 ]
3 spublish channel Value
srem Set Member+
sunionstore Set Set+
0.3 swapdb Db Db
unlink Any+
30 vadd Vec values 3 Float Float Float New
5 vadd Vec values 3 Float Float Float New noquant/bin/q8 setattr Json
30 vrem Vec Recent
30 vsetattr Vec Recent Json
xack Stream Group Id+
xackdel Stream Group keepref/delref/acked ids #Id
30 xadd Stream * Field Value
xadd Stream [ nomkstream ] maxlen ~/= 6 * ( Field Value )+
5 xadd Stream minid Id * Field Value
xautoclaim Stream Group Consumer 0 0 [ count 2 ] [ justid ]
xclaim Stream Group Consumer 0 Id+ [ justid ]
5 xclaim Stream Group Consumer 0 Id force
xdel Stream Id+
xdelex Stream keepref/delref/acked ids #Id
20 xgroup create Stream Group 0/$ mkstream
5 xgroup create Stream Group 0 entriesread 2
xgroup createconsumer Stream Group Consumer
5 xgroup delconsumer Stream Group Consumer
3 xgroup destroy Stream Group
xgroup setid Stream Group 0/$
20 xreadgroup group Group Consumer count 2 [ noack ] streams Stream >
xreadgroup group Group Consumer count 2 streams Stream Stream > >
5 xsetid Stream 9999999999999-1
xtrim Stream maxlen ~/= 4
5 xtrim Stream minid Id
30 zadd Zset ( Float Member )+
zadd Zset nx/xx/gt/lt ch ( Float Member )+
zadd Zset incr Float Member
zdiffstore Zset #Zset
zincrby Zset Float Member
zinterstore Zset #Zset aggregate sum/min/max
5 zinterstore Zset 2 Zset Set weights 2 0.5
zmpop #Zset min/max [ count 2 ]
zpopmax Zset [ 2 ]
zpopmin Zset [ 2 ]
zrangestore Zset Zset 0 5
5 zrangestore Zset Zset -inf +inf byscore limit 0 3
zrem Zset Member+
zremrangebylex Zset - [m3
zremrangebyrank Zset 0 0
zremrangebyscore Zset -inf 1
20 zunionstore Zset #Zset
"""

# One client waits, another serves it: the first of the keys, or the second.
WAITING = """
blmove List List Side Side 0
blmpop 0 #List Side count 2
blpop List+ 0
brpop List+ 0
brpoplpush List List 0
bzmpop 0 #Zset min/max
bzpopmax Zset+ 0
bzpopmin Zset+ 0
xreadgroup group g Consumer count 2 block 0 streams Stream >
"""

# What needs an answer of the server, or another server: made by the workload itself.
MADE = ("restore", "restore-asking", "function|restore", "migrate")

SCRIPTS = {
    "@append": "redis.call('SET', KEYS[1], ARGV[1]) return redis.call('APPEND', KEYS[2], ARGV[1])",
    "@spread": "redis.call('RPUSH', KEYS[1], ARGV[1]) redis.call('SADD', KEYS[2], ARGV[1])"
               " return redis.call('HINCRBY', KEYS[3], 'count', 1)",
    "@choose": "if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('SET', KEYS[2], ARGV[1])"
               " else redis.call('SET', KEYS[1], ARGV[1]) redis.call('DEL', KEYS[2]) end",
    # In another db than its caller's.
    "@elsewhere": "redis.call('SELECT', ARGV[1]) redis.call('INCR', 'in:n0')"
                  " redis.call('INCR', 'out:n0') return redis.call('SET', KEYS[1], ARGV[2])",
}
LIBRARIES = {
    "@first": "#!lua name=first\nredis.register_function('put', function(keys, arguments)"
              " redis.call('SET', keys[1], arguments[1])"
              " return redis.call('APPEND', keys[2], arguments[1]) end)",
    "@second": "#!lua name=second\nredis.register_function('spread', function(keys, arguments)"
               " redis.call('RPUSH', keys[1], arguments[1]) redis.call('SADD', keys[2], arguments[1])"
               " return redis.call('HINCRBY', keys[3], 'count', 1) end)",
}


class Form:
    """One line, read."""

    def __init__(self, line):
        words = line.split()
        self.weight = float(words.pop(0)) if words[0][0].isdigit() else 10
        self.name = "|".join(words[:2]) if words[0] in ("xgroup", "function", "script") else words[0]
        self.parts, rest = _parse(words)
        assert not rest, line


def _parse(words, closing=None):
    """[(kind, content, repeat)], and what follows the closing bracket."""
    parts = []
    while words:
        word, words = words[0], words[1:]
        if word.startswith(closing or "\0"):
            return parts, [word] + words
        if word == "[":
            inside, words = _parse(words, "]")
            parts.append(("option", inside, ""))
            words = words[1:]
        elif word in ("(", "#("):
            inside, words = _parse(words, ")")
            parts.append(("group", inside, words[0][1:] or ("#" if word == "#(" else "")))
            words = words[1:]
        elif word[:1] == "#" and len(word) > 1:
            parts.append(("group", [("word", word[1:], "")], "#"))
        elif word[-1] == "+" and word[0].isupper():
            parts.append(("group", [("word", word[:-1], "")], "+"))
        else:
            parts.append(("word", word, ""))
    return parts, []


def read(text):
    return [Form(line) for line in text.strip().splitlines()]
