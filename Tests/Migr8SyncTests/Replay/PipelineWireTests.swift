// Answers that come while a batch is still on its way: a network takes it piece by piece, and the server
// answers what it has read.

import Glibc
import Testing

@testable import Migr8Sync
@testable import ReplicaLink

@Suite("A pipeline's connection")
struct PipelineWireTests {
  private func command(_ words: String...) -> [UInt8] { RESP.encode(words.map { Array($0.utf8) }) }

  private func pipeline(_ role: Pipeline.Role) throws -> Pipeline {
    let timeouts = Timeouts()
    let connector = DestinationConnector(
      locator: ServerLocator(try RedisURL("redis://localhost"), timeouts: timeouts),
      timeouts: timeouts, runner: nil)
    return Pipeline(
      connector, mapping: .identity,
      progress: ReplayProgress(
        gate: StreamGate(), pacer: Pacer(RateLimit(commandsPerSecond: nil, bytesPerSecond: nil))),
      role: role)
  }

  /// Two ends of a connection; the near one does not block.
  private func connection() throws -> (near: Int32, far: Int32) {
    var ends: [Int32] = [0, 0]
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    try #require(socketpair(AF_UNIX, type, 0, &ends) == 0)
    _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
    return (ends[0], ends[1])
  }

  /// Answers, and waits until that was read.
  private func answer(_ text: String, on far: Int32) {
    #expect(send(far, text, text.utf8.count, 0) == text.utf8.count)
    var unread: Int32 = 1
    while unread > 0, ioctl(far, UInt(TIOCOUTQ), &unread) == 0 { sched_yield() }
  }

  /// Sends a batch to a server that reads nothing but the beginning, and answers that.
  ///
  /// - Returns: how the connection ended: nil when the answer was taken and the pipeline closed.
  private func outcome(of batch: Batch, answering answer: String) throws -> ReplayError? {
    let pipeline = try pipeline(.lane(onApplied: { _ in }))
    let (near, far) = try connection()
    defer { close(far) }
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
    self.answer(answer, on: far)
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

  // MARK: - What the socket was given

  /// How many bytes a connection takes at once while nobody reads.
  private func capacity() throws -> Int {
    let (near, far) = try connection()
    defer {
      close(near)
      close(far)
    }
    let count = value.withUnsafeBytes { send(near, $0.baseAddress, $0.count, 0) }
    try #require(count > 0 && count < value.count)
    return count
  }

  /// A loader's batch in db 0.
  private func loaderBatch(_ commands: [UInt8]...) -> Batch {
    let batch = Batch()
    for command in [command("SELECT", "0")] + commands { batch.bytes.append(command.span) }
    batch.commandCount = 1 + commands.count
    for command in commands {
      batch.keyCount += command.withUnsafeBytes { Batch.keyCount(of: $0) }
    }
    return batch
  }

  /// TLS may have encrypted the beginning of a batch, and say that it has taken nothing: what comes up
  /// meanwhile to be sent again goes behind that batch.
  @Test(arguments: [true, false])
  func whatTheSocketWasGivenIsNextThoughItTookNothing(isBusy: Bool) throws {
    let (key, other) = (command("SET", "k", "1", "NX"), command("SET", "l", "2", "NX"))
    let several = command("MSETNX", "k", "1", "l", "2")
    let first = loaderBatch(isBusy ? key : several)
    // The first batch fills the connection to the last byte.
    let overhead = RESP.encode([Array("SET".utf8), Array("filler".utf8), [], Array("NX".utf8)])
    let length = try capacity() - first.bytes.count - overhead.count
    // The length of an empty string has one digit.
    let filler = [UInt8](repeating: 120, count: length + 1 - "\(length)".utf8.count)
    first.bytes.appendCommand([Array("SET".utf8), Array("filler".utf8), filler, Array("NX".utf8)])
    first.commandCount += 1
    try #require(first.bytes.count == (try capacity()))
    let second = loaderBatch(command("SET", "late", "1", "NX"))
    let again = isBusy ? loaderBatch(key) : loaderBatch(key, other)
    let expected = [first, second, again].flatMap { $0.bytes.withBytes { Array($0) } }

    let pipeline = try pipeline(.loader(.fail))
    let (near, far) = try connection()
    defer { close(far) }
    try pipeline.submit(first)
    try pipeline.submit(second)
    let thread = NamedThread("loader") {
      var wire = PipelineWire(pipeline, Socket(descriptor: near, peer: "the other end"))
      wire.selectedDatabase = 0
      do { try wire.run() } catch { Issue.record("\(error)") }
    }
    var begun: UInt8 = 0
    #expect(recv(far, &begun, 1, Int32(MSG_PEEK)) == 1)
    answer("+OK\r\n\(isBusy ? "-BUSY in a script" : ":0")\r\n+OK\r\n", on: far)
    var patience = timeval(tv_sec: 60, tv_usec: 0)
    setsockopt(far, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    var received = [UInt8](repeating: 0, count: expected.count)
    let count = recv(far, &received, received.count, Int32(MSG_WAITALL))
    pipeline.close()
    thread.join()
    #expect(count == expected.count)
    let isInOrder = received == expected
    #expect(isInOrder, "\(String(decoding: received.dropFirst(first.bytes.count), as: UTF8.self))")
  }
}
