// Answers that come while a batch is still on its way: a network takes it piece by piece, and the server
// answers what it has read.

import Glibc
import Testing

@testable import Migr8Sync
@testable import ReplicaLink

@Suite("A pipeline's connection")
struct PipelineWireTests {
  private func command(_ words: String...) -> [UInt8] { RESP.encode(words.map { Array($0.utf8) }) }

  /// Sends a batch to a server that reads nothing but the beginning, and answers that.
  ///
  /// - Returns: how the connection ended: nil when the answer was taken and the pipeline closed.
  private func outcome(of batch: Batch, answering answer: String) throws -> ReplayError? {
    let timeouts = Timeouts()
    let connector = DestinationConnector(
      locator: ServerLocator(try RedisURL("redis://localhost"), timeouts: timeouts),
      timeouts: timeouts, runner: nil)
    let pipeline = Pipeline(
      connector, mapping: .identity,
      progress: ReplayProgress(
        gate: StreamGate(), pacer: Pacer(RateLimit(commandsPerSecond: nil, bytesPerSecond: nil))),
      role: .lane(onApplied: { _ in }))
    var ends: [Int32] = [0, 0]
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    try #require(socketpair(AF_UNIX, type, 0, &ends) == 0)
    let (near, far) = (ends[0], ends[1])
    defer { close(far) }
    _ = fcntl(near, F_SETFL, O_NONBLOCK)
    try pipeline.submit(batch)
    let outcome = Promise<ReplayError?>()
    let thread = NamedThread("lane") {
      do throws(ReplayError) {
        var wire = PipelineWire(pipeline, Socket(descriptor: near, peer: "the other end"))
        try wire.run()
        outcome.fulfil(nil)
      } catch {
        outcome.fulfil(error)
      }
    }
    var first = [UInt8](repeating: 0, count: 15)
    #expect(recv(far, &first, first.count, Int32(MSG_WAITALL)) == first.count)
    #expect(send(far, answer, answer.utf8.count, 0) == answer.utf8.count)
    // Until it was read.
    var unread: Int32 = 1
    while unread > 0, ioctl(far, UInt(TIOCOUTQ), &unread) == 0 { sched_yield() }
    pipeline.close()
    thread.join()
    return outcome.wait(milliseconds: 0) ?? nil
  }

  /// More than any socket takes at once.
  private let value = [UInt8](repeating: 120, count: 16 << 20)

  @Test func theLastCommandBeforeALargeOneIsAnsweredWhileThatIsSent() throws {
    let batch = Batch()
    batch.bytes.append(command("MULTI").span)
    batch.bytes.append(Array("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$900000000\r\n".utf8).span)
    batch.bytes.append(value.span)
    batch.commandCount = 1
    batch.isOpenEnded = true
    #expect(try outcome(of: batch, answering: "+OK\r\n") == nil)
  }

  @Test func aCommandThatWasNotSentWholeHasNoAnswer() throws {
    let batch = Batch()
    batch.bytes.append(command("MULTI").span)
    batch.bytes.appendCommand([Array("SET".utf8), Array("k".utf8), value])
    batch.commandCount = 2
    let error = try outcome(of: batch, answering: "+OK\r\n+QUEUED\r\n")
    #expect(error?.description.contains("answers unasked") == true)
  }
}
