// RDB files on disk for the tests of extract, diff and analyze: saved by a server, loaded by one.

import Foundation

/// A folder that goes with the test.
final class ScratchFolder {
  let path: String

  init() throws { path = try makeTemporaryFolder() }

  deinit { removeFolder(path) }

  func file(_ name: String) -> String { path + "/" + name }

  /// The names of the files in it, sorted.
  func names() -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
  }

  func write(_ bytes: [UInt8], _ name: String) throws -> String {
    try Data(bytes).write(to: URL(fileURLWithPath: file(name)))
    return file(name)
  }

  func copy(_ path: String, _ name: String) throws -> String {
    try FileManager.default.copyItem(atPath: path, toPath: file(name))
    return file(name)
  }

  func read(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: file(name))))
  }
}

extension TestServer {
  /// Where it saves to and loads from.
  var savedFile: String { folder + "/dump.rdb" }

  /// Saves everything and returns the file's name.
  func save() throws -> String {
    let client = try client()
    // A replica's snapshot that was cut off may still be ending.
    try awaitCondition("no snapshot to be under way") {
      try client.info("persistence")["rdb_bgsave_in_progress"] == "0"
    }
    try client("SAVE")
    return savedFile
  }

  /// Replaces everything by what a file holds.
  func load(_ path: String) throws {
    try? FileManager.default.removeItem(atPath: savedFile)
    try FileManager.default.copyItem(atPath: path, toPath: savedFile)
    try client()("DEBUG", "RELOAD", "NOSAVE")
  }

  func digest() throws -> String { try client()("DEBUG", "DIGEST").text }
}

/// The project's RDB files, by the version in their names.
enum Corpus {
  static let folder = packageRoot + "/Tests/Fixtures/rdb"

  static func files(version: Int) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder)
      .filter { $0.hasSuffix("_v\(version).rdb") }.sorted().map { "\(folder)/\($0)" }
  }
}
