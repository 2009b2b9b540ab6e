// analyze: its numbers against a server's, its page in a real browser.

import Foundation
import Testing

@Suite("Analyzing an RDB file", .ownThread)
struct AnalyzeTests {
  private static let browser: String? = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].first {
    (path: String) in access(path, X_OK) == 0
  }

  private func json(_ arguments: [String]) throws -> [String: Any] {
    let result = try Tool.run(["analyze", "--json"] + arguments)
    try #require(result.exitCode == 0, "\(result)")
    return try #require(
      JSONSerialization.jsonObject(with: Data(result.standardOutput.utf8)) as? [String: Any])
  }

  @Test func countsWhatIsThere() throws {
    let server = try TestServer()
    try SampleData.fill(server)
    let file = try server.save()
    let keyspace = try Keyspace(of: server)
    let report = try json([file])
    #expect(report["keys"] as? Int == keyspace.keys.count)
    #expect(report["expiring"] as? Int == keyspace.keys.values.count { $0.expiresAt != nil })
    let prefixes = try #require(report["prefixes"] as? [[String: Any]])
    for prefix in ["bump:", "other:"] {
      let branch = prefixes.first { $0["prefix"] as? String == prefix }
      #expect(branch?["keys"] as? Int == keyspace.filter(prefix: prefix).keys.count)
    }
    for type in try #require(report["types"] as? [[String: Any]]) {
      let name = type["name"] as? String
      #expect(type["keys"] as? Int == keyspace.keys.values.count { $0.type == name })
    }
    #expect((report["sync"] as? String)?.contains("-p bump:") == true)
    let text = try Tool.run(["analyze", file])
    #expect(text.exitCode == 0 && text.standardOutput.contains("migr8sync sync -s"))
  }

  /// A stranger's keys may be called what a shell would carry out. Where a command line cannot name them, the
  /// line that is shown in its place does, in a file of options.
  @Test func noCommandIsShownForWhatIsNoText() throws {
    let server = try TestServer()
    let client = try server.client()
    let prefix = [0xFF] + Array("$(curl evil):".utf8)
    for index in 0..<20 { try client("SET", prefix + Array("\(index)".utf8), "a") }
    for index in 0..<10 { try client("SET", "plain:\(index)", "a") }
    let file = try server.save()
    let report = try json([file])
    let line = try #require(report["config"] as? String)
    #expect(line == #"prefix "\xff\x24\x28curl\x20evil\x29:""# && report["sync"] == nil)
    let text = try Tool.run(["analyze", file])
    #expect(text.exitCode == 0 && text.standardOutput.hasSuffix("into it: \(line)\n"), "\(text)")
    #expect(!text.standardOutput.contains("migr8sync sync"), "\(text)")
    let folder = try ScratchFolder()
    let options = folder.file("options")
    try line.write(toFile: options, atomically: true, encoding: .utf8)
    #expect(try json([file, "--config", options])["keys"] as? Int == 20)
  }

  /// The model of memory, held against MEMORY USAGE over all sample keys.
  @Test func theEstimateIsNear() throws {
    let server = try TestServer(.redis70)
    try SampleData.fill(server)
    let report = try json([
      try server.save(), "-p", "bump:", "--db", "0", "--exclude-match", "*stream*",
    ])
    let client = try server.client()
    var actual = 0
    for name in try Keyspace(of: server).filter(prefix: "bump:").keys.keys where name.database == 0
    {
      if name.description.contains("stream") { continue }
      actual += try client("MEMORY", "USAGE", name.key, "SAMPLES", 0).number ?? 0
    }
    let estimate = try #require(report["memory"] as? Int)
    #expect(abs(estimate - actual) * 20 < actual, "estimated \(estimate), MEMORY USAGE \(actual)")
  }

  @Test(.enabled(if: browser != nil, "no Chromium on this machine"))
  func thePageWorksInABrowser() throws {
    let server = try TestServer()
    let folder = try ScratchFolder()
    try SampleData.fill(server)
    // Names that would do harm if they were not text.
    try server.client()("SET", "</script><script>alert(1)</script>:x", 1)
    try server.client()(
      "SET", "<img src=x onerror=alert(1)>:x", [UInt8](repeating: 1, count: 90_000))
    let page = folder.file("report.html")
    let report = try Tool.run(["analyze", try server.save(), "--html", page])
    #expect(report.exitCode == 0, "\(report)")
    let check = try Subprocess(
      "python3", [packageRoot + "/scripts/lib/page_check.py", Self.browser ?? "", page])
    #expect(try check.wait(seconds: 120) == 0, "\(check.standardError)")
    #expect(check.standardOutput == "the page is good\n")
  }
}
