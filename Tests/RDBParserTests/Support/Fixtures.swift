// Where the files are that tests read: the project's own and those kept beside the project.

import Foundation

enum Fixtures {
  static let packageRoot: URL = {
    var url = URL(fileURLWithPath: #filePath)
    for _ in 0..<4 { url.deleteLastPathComponent() }
    return url
  }()

  /// Files kept beside the project; not part of it, so tests skip where they are absent.
  static let shared = packageRoot.appending(path: "../shared/fixtures").standardizedFileURL
  static let areSharedPresent = FileManager.default.fileExists(
    atPath: shared.appending(path: "rdb").path)
  static let absence: String = "no ../shared/fixtures beside the project"

  /// Names of all shared RDB files, relative to the folder.
  static let sharedFiles: [String] = {
    guard areSharedPresent else { return [] }
    return ["rdb", "by-version"].flatMap { folder in
      let names = try? FileManager.default.contentsOfDirectory(
        atPath: shared.appending(path: folder).path)
      return (names ?? []).filter { $0.hasSuffix(".rdb") }.sorted().map { "\(folder)/\($0)" }
    }
  }()

  /// The project's own files, made by scripts/fixtures, without folder and extension.
  static let corpus = packageRoot.appending(path: "Tests/Fixtures/rdb")
  static let corpusNames: [String] = {
    let names = try? FileManager.default.contentsOfDirectory(atPath: corpus.path)
    return (names ?? []).filter { $0.hasSuffix(".rdb") }.sorted().map { String($0.dropLast(4)) }
  }()

  static func corpusFile(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: corpus.appending(path: "\(name).rdb")))
  }

  static func corpusTruth(_ name: String) throws -> ServerTruth {
    try ServerTruth(contentsOf: corpus.appending(path: "\(name).json"))
  }

  /// The RDB version a corpus file was written in.
  static func version(_ name: String) -> Int { Int(name.split(separator: "_v").last ?? "") ?? 0 }

  static func bytes(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: shared.appending(path: name)))
  }
}
