// A stdout that takes no more: a script must not take what is missing there for what was not found.

import Testing

@Suite("A full stdout", .ownThread)
struct StandardOutputTests {
  /// Runs the tool with its stdout on a disk that is full.
  private static func run(_ words: [String]) throws -> ToolResult {
    let script = "exec \"$@\" > /dev/full"
    return try Tool.finish(try Subprocess("sh", ["-c", script, "sh", Tool.path] + words))
  }

  @Test func linesThatAreLostAreToldAndFail() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    try VerifyTests.run(source, [["SET", "bump:1", 1], ["SET", "bump:2", 2]])
    let ends = ["-s", source.url, "-d", destination.url, "-p", "bump:"]
    for words in [
      ["check", "--json"] + ends, ["verify", "--json", "--settle", "50ms"] + ends,
      ["delete", "--dry-run"] + ends, ["sync", "--dry-run"] + ends,
      ["jobs", "-d", destination.url], ["--help"],
    ] {
      let result = try Self.run(words)
      expectLine(result, code: 1, saying: ["stdout", "no space left"])
    }
  }
}
