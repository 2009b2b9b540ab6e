// What lines that are right mean.

import ReplicaLink
import Testing

@testable import Migr8Sync

@Suite struct SyncOptionsTests {
  @Test func theDefaultsAreThoseOfTheHelp() throws {
    let options = try options(ends)
    #expect(options.source.endpoint == .tcp(host: "old", port: 6379))
    #expect(options.destination.endpoint == .tcp(host: "new", port: 6379))
    #expect(options.filter.matchesEverything)
    #expect(options.databases.destination(of: 7) == 7)
    #expect(options.workers == nil)
    #expect(options.queueMemoryBytes == 64 << 20)
    #expect(options.spoolDirectory == "/var/tmp")
    #expect(options.spoolMaximumBytes == 16 << 30)
    #expect(options.onConflict == .fail)
    #expect(!options.clearsDestination && !options.assumesYes)
    #expect(!options.isDryRun && !options.once && !options.ends.prefersReplica)
    #expect(options.timeouts.connectMilliseconds == 5_000)
    #expect(options.timeouts.ioMilliseconds == 60_000)
    #expect(options.view.logFormat == .text)
    #expect(!options.view.isQuiet && options.view.showsProgress)
  }

  @Test func everyOptionIsReadInBothForms() throws {
    let options = try options([
      "--source=unix:///run/redis.sock?db=2", "--dest", "redis://[::1]:7000/5", "--prefix", "bump:",
      "-p", "cart:", "--match=user:*:name", "-w", "8", "-c", "--yes", "--once",
      "--queue-memory=1GB", "--spool-dir", "/data/spool", "--spool-max=512kb",
      "--connect-timeout", "500ms", "--io-timeout=2m", "--log-format", "json", "--no-progress",
    ])
    #expect(options.source.endpoint == .unix(path: "/run/redis.sock"))
    #expect(options.destination.endpoint == .tcp(host: "::1", port: 7000))
    #expect(options.filter.prefixes == [Array("bump:".utf8), Array("cart:".utf8)])
    #expect(options.filter.globs.map(\.source) == [Array("user:*:name".utf8)])
    #expect(options.filter.databases == [2])
    #expect(options.databases.destination(of: 2) == 5)
    #expect(options.workers == 8)
    #expect(options.queueMemoryBytes == 1 << 30)
    #expect(options.spoolDirectory == "/data/spool")
    #expect(options.spoolMaximumBytes == 512 << 10)
    #expect(options.clearsDestination && options.assumesYes && options.once)
    #expect(options.timeouts.connectMilliseconds == 500)
    #expect(options.timeouts.ioMilliseconds == 120_000)
    #expect(options.view.logFormat == .json)
    #expect(!options.view.showsProgress && !options.view.isQuiet)
  }

  @Test func sentinelsMayBeNamedAtBothEnds() throws {
    let options = try options([
      "-s", "redis+sentinel://a,b:7000/old/2", "-d", "redis+sentinel://c/new", "--prefer-replica",
    ])
    #expect(options.source.endpoint.description == "a:26379,b:7000/old")
    #expect(options.destination.endpoint.description == "c:26379/new")
    #expect(options.filter.databases == [2] && options.ends.prefersReplica)
  }

  @Test func aValueMayHoldAnEqualsSignOrBeginWithADash() throws {
    let options = try options(ends + ["--prefix=-x=1", "--prefix", "a=b"])
    #expect(options.filter.prefixes == [Array("-x=1".utf8), Array("a=b".utf8)])
  }

  private static let databaseLists: [([String], Set<Int>)] = [
    (["--db", "0,3", "--db", "5"], [0, 3, 5]), (["--db=7"], [7]), (["--db", "1,1"], [1]),
  ]

  @Test(arguments: databaseLists)
  func databasesAddUp(words: [String], expected: Set<Int>) throws {
    #expect(try options(ends + words).filter.databases == expected)
  }

  @Test func theDatabaseOfTheSourceURLIsTheOnlyOneRead() throws {
    let alone = try options(["-s", "redis://old/3", "-d", "redis://new"])
    #expect(alone.filter.databases == [3])
    #expect(alone.databases.destination(of: 3) == 3)
    let confirmed = try options(["-s", "redis://old/3", "-d", "redis://new/0", "--db", "3"])
    #expect(confirmed.databases.destination(of: 3) == 0)
    let selected = try options(["-s", "redis://old", "-d", "redis://new/9", "--db", "4"])
    #expect(selected.databases.destination(of: 4) == 9)
  }

  @Test(arguments: [
    ("fail", ConflictPolicy.fail), ("replace", .replace), ("skip", .skip),
  ])
  func conflictPoliciesHaveNames(name: String, policy: ConflictPolicy) throws {
    #expect(try options(ends + ["--on-conflict", name]).onConflict == policy)
  }

  @Test func theSpoolGoesWhereTemporaryFilesGo() throws {
    #expect(try options(ends, environment: ["TMPDIR": "/fast"]).spoolDirectory == "/fast")
    #expect(try options(ends, environment: ["TMPDIR": ""]).spoolDirectory == "/var/tmp")
    let given = try options(ends + ["--spool-dir=/mine"], environment: ["TMPDIR": "/fast"])
    #expect(given.spoolDirectory == "/mine")
    #expect(try options(ends + ["--spool-max", "0"]).spoolMaximumBytes == 0)
  }

  @Test func quietShowsNoProgressEither() throws {
    let options = try options(ends + ["-q", "-q"])
    #expect(options.view.isQuiet && !options.view.showsProgress)
  }
}
