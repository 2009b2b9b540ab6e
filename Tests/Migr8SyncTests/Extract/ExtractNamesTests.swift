// The small readers of extract: versions, manifests, names of files.

import Glibc
import Testing

@testable import Migr8Sync

@Suite("Versions and names")
struct ExtractNamesTests {
  @Test(arguments: [
    ("7.2", TargetVersion(major: 7, minor: 2)), ("6", TargetVersion(major: 6, minor: 0)),
    ("redis-6.2.19", TargetVersion(major: 6, minor: 2)),
    ("valkey-8.1", TargetVersion(isValkey: true, major: 8, minor: 1)), ("", nil), ("seven", nil),
    ("7.x", nil), ("7.2.1.0", nil), ("0.1", nil), ("keydb-6.3", nil), ("7.", nil),
  ])
  func versionsAreRead(text: String, version: TargetVersion?) {
    #expect(TargetVersion(text) == version)
  }

  @Test func theManifestNamesTheBase() {
    let text = "file a.aof.1.base.rdb seq 1 type b\nfile a.aof.1.incr.aof seq 1 type i\n"
    #expect(InputFile.base(inManifest: text) == "a.aof.1.base.rdb")
    #expect(InputFile.base(inManifest: "file x seq 1 type i\n") == nil)
    #expect(InputFile.base(inManifest: "file ../x.rdb seq 1 type b\n") == nil)
  }

  /// What the server is just writing, or has left, is not read; of several AOFs none is guessed.
  @Test func theManifestOfAFolderIsTheOneInUse() throws {
    var template = Array("/tmp/migr8sync-manifest-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    var files: [String] = []
    defer {
      for file in files { unlink(file) }
      rmdir(folder)
    }
    func write(_ name: String, _ text: String) throws {
      let file = try #require(fopen("\(folder)/\(name)", "w"))
      fputs(text, file)
      fclose(file)
      files.append("\(folder)/\(name)")
    }
    func opened() -> String {
      do throws(ReplayError) {
        return try InputFile(folder).name
      } catch {
        return "\(error)"
      }
    }
    for name in ["new.rdb", "old.rdb"] { try write(name, "REDIS") }
    try write("temp-a.aof.manifest", "file new.rdb seq 2 type b\n")
    #expect(opened().contains("without the manifest"))
    try write("a.aof.manifest", "file old.rdb seq 1 type b\n")
    #expect(opened() == "\(folder)/old.rdb")
    try write("b.aof.manifest", "file new.rdb seq 1 type b\n")
    #expect(opened().contains("several manifests in it: a.aof.manifest, b.aof.manifest (name"))
  }

  @Test func prefixesBecomeNamesOfFiles() {
    #expect(OptionReader.fileName(Array("a.b:c/d".utf8)) == "a.b%3ac%2fd")
    #expect(OptionReader.fileName(Array("..".utf8)) == "%2e.")
    #expect(OptionReader.fileName([0xFF]) == "%ff")
  }
}
