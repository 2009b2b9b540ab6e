// Damaged files: one line with the place, and no output that looks whole and is not.

import Foundation
import Testing

@Suite("Extracting from a damaged file", .ownThread)
struct ExtractDamageTests {
  private static let formats = ["rdb", "resp", "jsonl", "json", "csv", "keys", "count"]

  private func savedFile() throws -> (server: TestServer, bytes: [UInt8]) {
    let server = try TestServer()
    try SampleData.fill(server)
    // Large enough to be handed out in pieces, the last of which will be missing.
    try server.client()("SET", "bump:huge", SampleData.noise(300_000) + SampleData.noise(300_000))
    try server.client()("APPEND", "bump:huge", [UInt8](SampleData.noise(300_000).reversed()))
    try server.client()("SETRANGE", "bump:huge", 3_000_000, SampleData.noise(300_000))
    let path = try server.save()
    return (server, [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))))
  }

  @Test func leavesNoOutputAndSaysWhere() throws {
    let (_, bytes) = try savedFile()
    let folder = try ScratchFolder()
    var random = SeededRandom(seed: 7)
    for format in Self.formats {
      let cut = Int.random(in: 10..<bytes.count - 20, using: &random)
      let file = try folder.write(Array(bytes[..<cut]), "cut.rdb")
      let result = try Tool.run(["extract", file, "--format", format, "-o", folder.file("out")])
      #expect(result.exitCode == 1, "\(format) cut at \(cut): \(result)")
      #expect(result.errorLines.count == 1 && result.standardError.contains("RDB offset "))
      #expect(folder.names() == ["cut.rdb"])
    }
  }

  @Test func aWrongChecksumIsDamage() throws {
    var (_, bytes) = try savedFile()
    bytes[bytes.count - 1] ^= 1
    let folder = try ScratchFolder()
    let file = try folder.write(bytes, "sum.rdb")
    let result = try Tool.run(["extract", file, "--format", "keys", "-o", folder.file("out")])
    #expect(result.exitCode == 1 && result.standardError.contains("checksum"), "\(result)")
    #expect(folder.names() == ["sum.rdb"])
  }

  /// With --keep-going a file is whole up to the damage, wherever that is.
  @Test func whatStandsBeforeIsKept() throws {
    let (server, bytes) = try savedFile()
    let all = try Keyspace(of: server)
    let target = try TestServer()
    let folder = try ScratchFolder()
    var random = SeededRandom(seed: 11)
    let names = try folderOfNames(folder, bytes)
    for _ in 0..<12 {
      let cut = Int.random(in: 2000..<bytes.count - 20, using: &random)
      let file = try folder.write(Array(bytes[..<cut]), "cut.rdb")
      let result = try Tool.run([
        "extract", file, "--keep-going", "-o", folder.file("out.rdb"),
      ])
      #expect(result.exitCode == 1 && result.errorLines.count == 1, "cut at \(cut): \(result)")
      try target.load(folder.file("out.rdb"))
      let kept = try Keyspace(of: target)
      #expect(kept.keys.count <= names)
      #expect(kept.differences(from: all.filter { kept.keys[$0] != nil }) == [], "cut at \(cut)")
      let lines = try Tool.run([
        "extract", file, "--keep-going", "--format", "jsonl", "-o", folder.file("out"),
      ])
      #expect(lines.exitCode == 1)
      let text = String(decoding: try folder.read("out"), as: UTF8.self)
      #expect(text.split(separator: "\n").count == kept.keys.count, "cut at \(cut)")
      #expect(text.isEmpty || text.hasSuffix("}\n"))
    }
  }

  /// What is no RDB has nothing before the damage: no output takes the place of an older one.
  @Test func whatIsNoFileOfTheKindLeavesTheOldOutput() throws {
    let folder = try ScratchFolder()
    let old = Array("what was there".utf8)
    let out = try folder.write(old, "out")
    for (name, bytes) in [
      ("page", Array("<html>".utf8)), ("short", Array("REDIS00".utf8)), ("empty", []),
    ] {
      let file = try folder.write(bytes, name)
      for format in Self.formats {
        let result = try Tool.run(["extract", file, "--keep-going", "--format", format, "-o", out])
        #expect(result.exitCode == 1 && result.errorLines.count == 1, "\(name): \(result)")
        #expect(try folder.read("out") == old, "\(format) from \(name)")
      }
      let result = try Tool.run(["analyze", file, "--keep-going"])
      #expect(result.exitCode == 1 && result.standardOutput == "", "\(name): \(result)")
    }
  }

  private func folderOfNames(_ folder: ScratchFolder, _ bytes: [UInt8]) throws -> Int {
    let file = try folder.write(bytes, "whole.rdb")
    let result = try Tool.run(["extract", file, "--format", "count"])
    return try #require(Int(result.standardOutput.split(separator: "\n").first ?? ""))
  }

  /// Files made to be wrong: a line and an exit code, whatever they hold.
  @Test func everyCorpusFileCutAnywhere() throws {
    let folder = try ScratchFolder()
    var random = SeededRandom(seed: 23)
    for file in try Corpus.files(version: 12).prefix(20) {
      var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: file)))
      let place = Int.random(in: 9..<bytes.count, using: &random)
      bytes[place] ^= 0x55
      let path = try folder.write(bytes, "bent.rdb")
      for command in [
        ["extract", path, "--format", "json", "-o", folder.file("out")], ["analyze", path],
      ] {
        let result = try Tool.run(command)
        #expect([0, 1].contains(result.exitCode), "\(file) bent at \(place): \(result)")
        #expect(result.errorLines.count == (result.exitCode == 0 ? 0 : 1), "\(file): \(result)")
      }
    }
  }
}
