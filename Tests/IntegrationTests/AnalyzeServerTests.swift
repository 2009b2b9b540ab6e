// analyze of a server that is in use: what a snapshot tells is what its file tells, and a sample comes near.

import Foundation
import Testing

@Suite("Analyzing a server", .ownThread)
struct AnalyzeServerTests {
  private func report(_ arguments: [String]) throws -> [String: Any] {
    let result = try Tool.run(["analyze", "--json", "-q"] + arguments)
    try #require(result.exitCode == 0, "\(result)")
    return try #require(
      JSONSerialization.jsonObject(with: Data(result.standardOutput.utf8)) as? [String: Any])
  }

  /// What must be the same of two reports, however the keys came.
  private func numbers(_ report: [String: Any]) -> [String: Int] {
    var numbers: [String: Int] = [:]
    for name in ["keys", "expiring", "bytes", "memory"] { numbers[name] = report[name] as? Int }
    for group in ["types", "encodings", "prefixes", "dbs"] {
      for part in report[group] as? [[String: Any]] ?? [] {
        let name = part["name"] as? String ?? part["prefix"] as? String ?? "?"
        numbers["\(group) \(name)"] = part["keys"] as? Int
      }
    }
    return numbers
  }

  @Test(arguments: ServerKind.allCases)
  func aSnapshotIsLikeTheFile(kind: ServerKind) throws {
    let server = try TestServer(kind)
    try SampleData.fill(server)
    let client = try server.client()
    let before = try client("DEBUG", "DIGEST").text
    let live = try report([server.url])
    let file = try report([try server.save()])
    #expect(numbers(live) == numbers(file))
    #expect((live["sync"] as? String)?.contains("-s \(server.url) ") == true)
    #expect(
      try report([server.url + "/3", "-p", "bump:"])["keys"] as? Int
        == report([server.savedFile, "--db", "3", "-p", "bump:"])["keys"] as? Int)
    // It has left, after one snapshot for each run, and has changed nothing.
    try awaitCondition("the replica to be gone") {
      try client.info("replication")["connected_slaves"] == "0"
    }
    #expect(try client.info("stats")["sync_full"] == "2")
    #expect(try client("DEBUG", "DIGEST").text == before)
    #expect(try client.info("commandstats")["cmdstat_keys"] == nil)
  }

  @Test(arguments: ServerKind.allCases)
  func aSampleOfEverythingIsExact(kind: ServerKind) throws {
    let server = try TestServer(kind)
    try SampleData.fill(server)
    let sample = try report([server.url, "--via", "scan"])
    let file = try report([try server.save()])
    let counted = numbers(file).filter { !["bytes", "memory"].contains($0.key) }
    for (name, number) in counted where !name.hasPrefix("encodings") {
      #expect(numbers(sample)[name] == number, "\(name)")
    }
    #expect(try server.client().info("stats")["sync_full"] == "0")
  }

  @Test func aSampleComesNear() throws {
    let server = try TestServer()
    let client = try server.client()
    try client("DEBUG", "POPULATE", 60_000, "cache:a", 300)
    try client("DEBUG", "POPULATE", 30_000, "user:b", 50)
    try client("SELECT", 3)
    try client("DEBUG", "POPULATE", 10_000, "other:c", 50)
    let sample = try report([server.url, "--via", "scan", "--sample", "5000"])
    let whole = try report([server.url])
    #expect(sample["sampled_keys"] as? Int == 5000 && sample["keys_held"] as? Int == 100_000)
    for name in ["keys", "memory", "bytes"] {
      let (one, other) = (sample[name] as? Int ?? 0, whole[name] as? Int ?? 0)
      #expect(abs(one - other) * 10 < other, "\(name): \(one), counted \(other)")
    }
    for (name, number) in numbers(whole) where name.hasPrefix("prefixes") || name.hasPrefix("dbs") {
      let near = numbers(sample)[name] ?? 0
      #expect(abs(near - number) * 5 < number, "\(name): \(near), counted \(number)")
    }
    let text = try Tool.run(["analyze", server.url, "--via", "scan", "--sample", "5000", "-q"])
    #expect(text.standardOutput.contains("Estimated from a sample of 5,000 of 100,000 keys"))
    #expect(text.standardOutput.contains("migr8sync sync -s \(server.url) "))
  }

  @Test func whatStandsAgainstItIsSaid() throws {
    let server = try TestServer()
    let client = try server.client()
    try client("SET", "a", 1)
    try client("ACL", "SETUSER", "reader", "on", ">secret", "~*", "+@read", "+info", "+ping")
    let url = "redis://reader:secret@127.0.0.1:\(server.port)"
    let refused = try Tool.run(["analyze", "-q", url])
    #expect([1, 4].contains(refused.exitCode) && refused.errorLines.count == 1, "\(refused)")
    #expect(refused.standardError.lowercased().contains("psync"), "\(refused)")
    #expect(!"\(refused)".contains("secret"), "\(refused)")
    let sampled = try Tool.run(["analyze", "-q", url, "--via", "scan"])
    #expect(sampled.exitCode == 1 && sampled.errorLines.count == 1, "\(sampled)")
    #expect(sampled.standardError.contains("sampling: "), "\(sampled)")
    server.crash()
    for way in ["psync", "scan"] {
      let gone = try Tool.run(["analyze", "-q", server.url, "--via", way])
      #expect(gone.exitCode == 1 && gone.errorLines.count == 1, "\(gone)")
    }
    for options in [["dump.rdb", "--via", "scan"], [server.url, "--sample", "5"], []] {
      #expect(try Tool.run(["analyze"] + options).exitCode == 2, "\(options)")
    }
  }
}
