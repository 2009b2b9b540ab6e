// A running job is a thing one can talk to: through the program's own commands and with bare lines.

import Glibc
import Testing

@Suite("Talking to a running job", .ownThread)
struct ControlTests {
  @Test func statusPauseResumeAndStop() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let (writer, reader) = (try source.client(), try destination.client())
    try writer("SET", "bump:first", 1)
    let runtime = try ControlRuntime()
    #expect(try runtime.run(["status"]).exitCode == 1)
    let tool = try runtime.follow(source, destination)
    let shown = try runtime.run(["status", "drill"])
    #expect(shown.exitCode == 0 && shown.standardOutput.hasPrefix("drill: following\n"), "\(shown)")
    #expect(try runtime.run(["status", "other"]).exitCode == 1)

    #expect(try runtime.run(["tell", "--pause"]).standardOutput.contains("following, paused"))
    try writer("SET", "bump:held", 1)
    // The link goes on: what waits is counted.
    try awaitCondition("the queue to hold it") {
      try !runtime.status().contains("\"queue_memory_bytes\":0,")
    }
    #expect(try writer("WAIT", 1, 200).number == 0)
    #expect(try reader("EXISTS", "bump:held").number == 0)
    #expect(try runtime.run(["tell", "drill", "--resume"]).exitCode == 0)
    try awaitCondition("the write") { try reader("EXISTS", "bump:held").number == 1 }

    #expect(try runtime.run(["tell", "--stop"]).exitCode == 0)
    #expect(try Tool.finish(tool).exitCode == 5)
    #expect(access(try makeSocketFolder(runtime), F_OK) == 0)
    #expect(try runtime.run(["status"]).exitCode == 1)
  }

  private func makeSocketFolder(_ runtime: ControlRuntime) throws -> String {
    runtime.folder + "/migr8sync"
  }

  @Test func bareLinesAreEnough() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(source, destination)
    let path = try runtime.socketPath()
    let answer = try Subprocess(
      "python3",
      [
        "-c",
        "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
          + "s.sendall(b'{\"command\":\"verify\",\"max-rate\":\"no\"}\\n{\"command\":\"status\"}')\ns.shutdown(1)\n"
          + "print(s.makefile().read())", path,
      ])
    #expect(try answer.wait(seconds: 30) == 0)
    let lines = answer.standardOutput.split(separator: "\n")
    #expect(
      lines.count == 2 && lines[0].contains("a number of keys a second")
        && lines[1].contains("\"drill\""))
    tool.send(signal: SIGTERM)
    #expect(try Tool.finish(tool).exitCode == 5)
    #expect(access(path, F_OK) != 0)
  }

  /// A run that has no descriptor for a caller rests, and takes him when it has one.
  @Test func aCallerWithoutADescriptorWaits() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(source, destination)
    let (process, path) = (tool.processIdentifier, try runtime.socketPath())
    let thread = try ThreadUse.find("control", of: process)
    try limitFiles(of: process, to: "3")
    let before = try thread.read()
    let caller = try Subprocess(
      "python3",
      [
        "-c",
        "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
          + "s.sendall(b'{\"command\":\"status\"}')\ns.shutdown(1)\nprint(s.makefile().read())",
        path,
      ])
    // It rests again and again, and works next to nothing meanwhile.
    try awaitCondition("the run to rest") { try thread.read().rests >= before.rests + 10 }
    #expect(try thread.read().ticks <= before.ticks + 20)
    #expect(caller.isRunning)
    try limitFiles(of: process, to: "h")
    #expect(try caller.wait(seconds: 30) == 0)
    #expect(caller.standardOutput.contains("\"drill\""))
    tool.send(signal: SIGTERM)
    #expect(try Tool.finish(tool).exitCode == 5)
  }

  /// Sets how many files a process may have open; "h" is as many as it may at the most.
  private func limitFiles(of process: pid_t, to count: String) throws {
    let setting = try Subprocess(
      "python3",
      [
        "-c",
        "import resource as r\nh=r.prlimit(\(process),r.RLIMIT_NOFILE)[1]\n"
          + "r.prlimit(\(process),r.RLIMIT_NOFILE,(\(count),h))",
      ])
    #expect(try setting.wait(seconds: 30) == 0, "\(setting.standardError)")
  }

  /// A run that is killed leaves a socket; nobody takes it for a run.
  @Test func theSocketOfAKilledRun() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let runtime = try ControlRuntime()
    let first = try runtime.follow(source, destination)
    let path = try runtime.socketPath()
    first.kill()
    #expect(access(path, F_OK) == 0)
    let second = try runtime.follow(source, destination)
    #expect(access(path, F_OK) != 0)
    second.send(signal: SIGTERM)
    #expect(try Tool.finish(second).exitCode == 5)
  }

  /// The limit is kept by the snapshot and by the stream, and can be lifted while it holds.
  @Test func theRateIsKeptAndChangedLive() throws {
    let (source, destination) = (try TestServer(), try TestServer())
    let (writer, reader) = (try source.client(), try destination.client())
    let runtime = try ControlRuntime()
    let tool = try runtime.follow(source, destination, ["--max-rate", "50"])
    _ = try writer.pipeline((0..<20_000).map { ["SET", "bump:\($0)", "v"] })
    // 20,000 commands would take minutes: they have not arrived when the limit is lifted.
    #expect(try writer("WAIT", 1, 300).number == 0)
    #expect(try runtime.run(["tell", "--max-rate", "none"]).standardOutput.contains("none"))
    try source.awaitToolInSync(tool)
    #expect(try reader("KEYS", "bump:*").elements.count == 20_000)
    tool.send(signal: SIGTERM)
    #expect(try Tool.finish(tool).exitCode == 5)
  }
}
