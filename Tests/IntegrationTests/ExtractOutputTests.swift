// Where the output of extract, diff and analyze goes: terminals, readers that leave, disks that are full.

import Glibc
import Testing

@Suite("Outputs of commands on files", .ownThread)
struct ExtractOutputTests {
  private static let formats = ["rdb", "resp", "jsonl", "json", "csv", "keys", "count"]

  private func savedFile(_ folder: ScratchFolder, keys: Int = 20_000) throws -> String {
    let server = try TestServer()
    try server.client()("DEBUG", "POPULATE", keys, "bump:many", 100)
    return try withExtendedLifetime(server) { try folder.copy(try server.save(), "many.rdb") }
  }

  private func shell(_ script: String) throws -> ToolResult {
    try Tool.finish(try Subprocess("bash", ["-c", script]))
  }

  /// The display moves on one place, says how fast it is and when it will be done, and leaves nothing
  /// behind when Ctrl-C ends it.
  @Test func theDisplayOnATerminal() throws {
    let folder = try ScratchFolder()
    let file = try savedFile(folder, keys: 400_000)
    let destination = try TestServer()
    for command in [
      ["extract", file, "--dest", destination.url, "--max-rate", "20000"],
      ["extract", file, "--format", "jsonl", "-o", folder.file("out")], ["diff", file, file],
      ["analyze", file],
    ] {
      let run = try Subprocess(
        "python3",
        [packageRoot + "/scripts/lib/pty_run.py", "keys/s,ETA,%", Tool.path] + command)
      #expect(try run.wait(seconds: Tool.deadlineSeconds) == 5, "\(command): \(run.standardOutput)")
      let shown = run.standardOutput
      #expect(shown.contains("\u{1B}[") && shown.contains("reading"), "\(shown)")
      #expect(shown.contains("migr8sync: interrupted; "), "\(shown)")
      // The line about the end stands alone: the display was removed before it.
      let last = shown.split(whereSeparator: \.isNewline).last ?? ""
      #expect(last.contains("migr8sync: interrupted"), "\(command): \(shown.suffix(300))")
    }
    #expect(folder.names() == ["many.rdb"])
  }

  /// Whoever reads the output may go: nothing is said, and it is no success.
  @Test func aReaderThatLeaves() throws {
    let folder = try ScratchFolder()
    let file = try savedFile(folder)
    for format in Self.formats where format != "count" {
      let result = try shell(
        "\(Tool.path) extract \(file) --format \(format) | head -c 1 >/dev/null; exit ${PIPESTATUS[0]}"
      )
      #expect(result.exitCode == 1 && result.standardError == "", "\(format): \(result)")
    }
    for command in ["extract \(file) --format count", "analyze \(file)", "analyze --json \(file)"] {
      let result = try shell("\(Tool.path) \(command) | sleep 0; exit ${PIPESTATUS[0]}")
      #expect(
        [0, 1].contains(result.exitCode) && result.standardError == "", "\(command): \(result)")
      let closed = try shell("\(Tool.path) \(command) >&-")
      #expect(closed.exitCode == 1 && closed.errorLines.count == 1, "\(command): \(closed)")
    }
  }

  @Test func aFullDisk() throws {
    let folder = try ScratchFolder()
    let file = try savedFile(folder)
    for format in Self.formats {
      let result = try Tool.run(["extract", file, "--format", format, "-o", "/dev/full"])
      #expect(result.exitCode == 1 && result.errorLines.count == 1, "\(format): \(result)")
      #expect(result.standardError.contains("/dev/full: No space left"), "\(format): \(result)")
    }
    for command in [
      "extract \(file) --format jsonl", "analyze \(file)", "analyze \(file) --html /dev/full",
      "diff /dev/null \(file)",
    ] {
      let result = try shell("\(Tool.path) \(command) >/dev/full")
      #expect(result.exitCode == 1 && result.errorLines.count == 1, "\(command): \(result)")
    }
    // A file that may not grow on: what was written of it goes.
    let limited = try shell(
      "trap '' XFSZ; ulimit -f 100; \(Tool.path) extract \(file) -o \(folder.file("out.rdb"))")
    #expect(limited.exitCode == 1 && limited.errorLines.count == 1, "\(limited)")
    #expect(limited.standardError.contains("File too large"), "\(limited)")
    #expect(folder.names() == ["many.rdb"])
  }

  /// Several outputs: none takes the place of an older one before all are on the disk.
  @Test func severalOutputsAppearTogether() throws {
    let folder = try ScratchFolder()
    let file = try savedFile(folder, keys: 100)
    let old = Array("what was there".utf8)
    for format in Self.formats {
      let kept = try folder.write(old, "kept")
      let result = try Tool.run([
        "extract", file, "--format", format, "--route", "bump:=\(kept)", "--route", "=/dev/full",
      ])
      // With nothing to write, a full disk is none.
      if result.exitCode == 0 { continue }
      #expect(result.exitCode == 1 && result.errorLines.count == 1, "\(format): \(result)")
      #expect(try folder.read("kept") == old, "\(format)")
    }
    let result = try Tool.run([
      "extract", file, "--route", "bump:=\(folder.file("a"))", "--route", "=\(folder.file("b"))",
    ])
    #expect(result.exitCode == 0, "\(result)")
    #expect(folder.names() == ["a", "b", "kept", "many.rdb"])
  }

  /// A pipe that nobody writes to, or no more: Ctrl-C is heard all the same.
  @Test func aPipeThatIsSilent() throws {
    let folder = try ScratchFolder()
    let file = try savedFile(folder, keys: 1_000)
    let pipe = folder.file("pipe")
    #expect(mkfifo(pipe, 0o600) == 0)
    let beginning = try folder.read("many.rdb").prefix(20_000)
    for command in [
      ["extract", pipe, "--format", "keys"], ["analyze", pipe], ["diff", pipe, file],
    ] {
      for isBegun in [false, true] {
        let tool = try Tool.start(command)
        try awaitCondition("the pipe to be opened") {
          guard tool.isRunning else { throw TestFailure("it ended: \(try Tool.finish(tool))") }
          return tool.openFiles().contains(pipe)
        }
        let writer = isBegun ? open(pipe, O_WRONLY | O_CLOEXEC) : -1
        if isBegun {
          let written = beginning.withUnsafeBytes { write(writer, $0.baseAddress, $0.count) }
          #expect(written == beginning.count)
        }
        tool.send(signal: SIGINT)
        let result = try Tool.finish(tool)
        if isBegun { close(writer) }
        #expect(result.exitCode == 5 && result.errorLines.count == 1, "\(command): \(result)")
      }
    }
  }
}
