// A user's rights as ACL LIST has them, without the right to write what moves, and back; and who waits
// in a pause.

import Glibc
import Testing

@testable import Migr8Sync

@Suite("The fence at the source")
struct FenceTests {
  private func rules(_ words: String) throws -> ACLRules {
    try #require(ACLRules(user: "app", in: ["user other on", "user app \(words)"]))
  }

  @Test func aSelectorIsOneWord() throws {
    let rules = try rules("on #ab ~x:* &* +@all (~y:* +get) (+ping)")
    #expect(
      rules.restoring(on: ServerVersion(7)).dropFirst(5) == [
        "on", "#ab", "~x:*", "&*", "+@all", "(~y:* +get)", "(+ping)",
      ])
  }

  @Test(arguments: [
    ("on ~bump:* ~other:* +@all", "on %R~bump:* ~other:* +@all"),
    ("on ~bump:a:* +@all", "on %R~bump:a:* +@all"),
    ("on %W~bump:* %RW~bump:b ~z +@all", "on %R~bump:b ~z +@all"),
    // Patterns that are for what moves and for more: every write is closed.
    ("on ~* +@all", "on ~* +@all -@write"),
    ("on ~b* +@all", "on ~b* +@all -@write"),
    ("on ~[ab]ump:* +@all", "on ~[ab]ump:* +@all -@write"),
    ("on ~bump:* +get (~bump:* +set)", "on ~bump:* +get (~bump:* +set -@write) -@write"),
  ])
  func theRightsThatAreLeft(words: String, expected: String) throws {
    let fencing = try rules(words).fencing(
      prefixes: ["bump:"], narrows: true, on: ServerVersion(7))
    #expect(
      fencing.joined(separator: " ")
        == "resetpass resetkeys resetchannels clearselectors -@all " + expected)
  }

  @Test func anOldServerClosesEveryWrite() throws {
    let rules = try rules("on ~bump:* +@all")
    let fencing = rules.fencing(prefixes: ["bump:"], narrows: true, on: ServerVersion(6, 2))
    #expect(fencing.last == "-@write" && !fencing.contains("clearselectors"))
    let other = rules.fencing(prefixes: ["bump:"], narrows: false, on: ServerVersion(8))
    #expect(other.last == "-@write")
    #expect(!rules.restoring(on: ServerVersion(6)).contains("resetchannels"))
  }

  /// What a person is told to do is what the program would do, and shows no secret.
  @Test func theRemedyIsExactAndShowsNoHash() throws {
    let words = "on sanitize-payload #ab12 #cd34 ~x:* &* -@all +@read (~y:* +get)"
    #expect(
      try rules(words).remedy(for: "app", on: ServerVersion(7))
        == "ACL SETUSER app resetkeys resetchannels clearselectors -@all on sanitize-payload '~x:*'"
        + " '&*' -@all +@read '(~y:* +get)'")
    #expect(
      try rules("off nopass ~a").remedy(for: "a b", on: ServerVersion(6))
        == "ACL SETUSER 'a b' resetkeys -@all off nopass '~a'")
  }

  @Test func whoWaits() {
    let list = """
      id=1 addr=a flags=N cmd=set
      id=2 addr=b flags=b cmd=set
      id=3 addr=c flags=b cmd=blpop
      id=4 addr=d flags=xb cmd=exec
      id=5 addr=e flags=S cmd=psync
      id=6 addr=f flags=b cmd=publish
      id=7 addr=g flags=b cmd=XREADGROUP
      id=8 addr=h name=migr8sync:j:0:host:1:ab:lease flags=b cmd=pexpire
      garbage
      """
    // A consumer waits for its element, or with it: it is ended, but not waited for.
    let nothing = SourceFence.writingNothing
    #expect(SourceFence.blocked(in: list, except: nothing) == ["2", "3", "4", "7"])
    let consuming = nothing.union(SourceFence.consuming)
    #expect(SourceFence.blocked(in: list, except: consuming) == ["2", "4"])
  }
}

@Suite("A hook")
struct HookTests {
  private func run(_ command: String, milliseconds: Int64 = 20_000) -> String? {
    Hook(command: command, facts: [("JOB", "j"), ("END_OFFSET", "42")]).run(
      milliseconds: milliseconds)
  }

  @Test func getsTheFactsAndNoSecrets() {
    setenv("MIGR8SYNC_SOURCE_PASSWORD", "hidden", 1)
    defer { unsetenv("MIGR8SYNC_SOURCE_PASSWORD") }
    #expect(run("test \"$MIGR8SYNC_JOB$MIGR8SYNC_END_OFFSET\" = j42") == nil)
    #expect(run("test -z \"$MIGR8SYNC_SOURCE_PASSWORD\" && test -n \"$PATH\"") == nil)
  }

  @Test func saysHowItFailed() {
    #expect(run("echo one; echo two >&2; exit 3") == "it ended with exit code 3: one; two")
    #expect(run("kill -9 $$") == "it ended with signal 9")
    #expect(run("no-such-command")?.contains("127") == true)
    #expect(run("yes | head -c 10000000; exit 1")?.utf8.count ?? 9_999 < 1_000)
  }

  /// It is ended with everything it has started.
  @Test func aHookThatHangsIsEnded() throws {
    let reason = run("sleep 1000 & echo $!; wait", milliseconds: 3_000)
    #expect(reason?.hasPrefix("it did not end within 3000 ms") == true)
    let child = try #require(reason?.split(separator: " ").last.flatMap { pid_t($0) })
    while kill(child, 0) == 0, !isZombie(child) { usleep(1000) }
  }

  @Test func aHookThatLeavesABackgroundProcessIsNotWaitedFor() {
    #expect(run("sleep 1000 &") == nil)
  }

  private func isZombie(_ process: pid_t) -> Bool {
    guard let file = fopen("/proc/\(process)/stat", "r") else { return true }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 512)
    guard fgets(&line, 512, file) != nil else { return true }
    return String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      .contains(") Z")
  }
}
