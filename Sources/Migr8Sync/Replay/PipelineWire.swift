// The wire side of a pipeline: one thread that sends batches and counts replies, both as the socket
// allows, and finds the command behind a reply that is an error.

import Glibc
import ReplicaLink

/// Sends what a pipeline's inbox holds and checks the replies one by one. Lives on one thread.
struct PipelineWire: ~Copyable {
  private let pipeline: Pipeline
  private let socket: Socket
  /// Batches in order: those before `sendIndex` are sent, the first of them waits for replies.
  private var batches: ContiguousArray<Batch> = []
  private var sendIndex = 0
  private var sendPosition = 0
  private var replies = ByteBuffer(capacity: 1 << 16)
  private var scanner = ReplyScanner()
  /// Replies seen of the first batch.
  private var answered = 0
  private var cursor = BatchCursor()
  /// Whether the last batch that was sent ends inside a command or a transaction.
  private var isInside = false
  /// The transaction whose EXEC is still to come, as far as its commands were in earlier batches.
  private var opened = OpenTransaction()
  /// Snapshot keys that the destination could not take, to be sent again.
  private var refused = RefusedKeys()
  /// Since when nothing is under way, on the monotonic clock.
  private var idleSince = Clock.monotonicMilliseconds()

  /// A destination may close connections that are quiet for so many seconds (its `timeout`, at least
  /// one): so a quiet connection says something more often than that.
  private static let keepAliveMilliseconds: Int32 = 500

  init(_ pipeline: Pipeline, _ socket: consuming Socket) {
    self.pipeline = pipeline
    self.socket = socket
  }

  /// Works until the pipeline is closed.
  mutating func run() throws(ReplayError) {
    while pipeline.takeInbox(into: &batches) {
      keepAlive()
      do throws(ReplayError) {
        try send()
      } catch {
        // What the destination said before it closed is the better reason.
        try receive()
        throw error
      }
      try receive()
      wait()
    }
  }

  /// Puts a PING among the batches when there has been nothing else for a while.
  private mutating func keepAlive() {
    let now = Clock.monotonicMilliseconds()
    if !batches.isEmpty || isInside {
      idleSince = now
    } else if now - idleSince >= Int64(Self.keepAliveMilliseconds) {
      idleSince = now
      let ping = Batch()
      ping.bytes.append("*1\r\n$4\r\nPING\r\n")
      ping.commandCount = 1
      ping.isKeepAlive = true
      batches.append(ping)
    }
  }

  private mutating func send() throws(ReplayError) {
    if sendPosition == 0, let again = refused.take(pipeline) {
      batches.insert(again, at: sendIndex)
    }
    while sendIndex < batches.count, sendPosition > 0 || !refused.isWaiting {
      let batch = batches[sendIndex]
      let transfer = try ReplayError.wrap { () throws(LinkError) in
        try batch.bytes.withBytes(from: sendPosition) { bytes throws(LinkError) in
          try socket.send(bytes)
        }
      }
      guard case .bytes(let count) = transfer else { return }
      sendPosition += count
      guard sendPosition == batch.bytes.count else { continue }
      sendPosition = 0
      sendIndex += 1
      if batch.checkpointOffset > 0 { CrashPoint.afterExec.pass() }
      isInside = batch.isOpenEnded
      finishAnsweredBatches()
    }
  }

  private mutating func receive() throws(ReplayError) {
    while true {
      var transfer = Socket.Transfer.wouldBlock
      do {
        _ = try replies.fill(minimum: 1 << 14) { room throws(LinkError) -> Int in
          transfer = try socket.receive(into: room)
          if case .bytes(let count) = transfer { return count }
          return 0
        }
      } catch {
        throw ReplayError(error)
      }
      switch transfer {
      case .wouldBlock: return
      case .endOfStream:
        throw ReplayError(
          LinkError(
            .closed, "writing to \(socket.peer)", "the destination closed the connection",
            advice: "its log says why: a restart, CLIENT KILL, a limit"))
      case .bytes:
        pipeline.noteAnswer()
        try checkReplies()
      }
    }
  }

  private mutating func checkReplies() throws(ReplayError) {
    var position = 0
    while position < replies.count {
      let reply: ScannedReply?
      do {
        reply = try replies.withBytes { bytes throws(LinkError) in
          try scanner.next(bytes, &position)
        }
      } catch {
        throw ReplayError(error)
      }
      guard let reply else { break }
      try judge(reply, try awaitedBatch(reply))
      answered += 1
      finishAnsweredBatches()
    }
    replies.removeFirst(position)
  }

  /// The batch a reply belongs to: it must have been sent, to its end for the last reply.
  private func awaitedBatch(_ reply: ScannedReply) throws(ReplayError) -> Batch {
    if let batch = batches.first,
      sendIndex > 0 || (sendPosition > 0 && answered + 1 < batch.commandCount)
    {
      return batch
    }
    // Servers speak unasked when they refuse a connection: too many clients, protected mode.
    if case .error(let line) = reply {
      throw ReplayError(ServerRefusal.error(line, action: "connecting to \(socket.peer)"))
    }
    throw ReplayError("writing to \(socket.peer): the destination answers unasked")
  }

  /// Takes leave of batches that have all their answers; of parts of a large command, which have
  /// none of their own, as soon as they are sent.
  private mutating func finishAnsweredBatches() {
    while let batch = batches.first, sendIndex > 0, answered == batch.commandCount {
      batches.removeFirst()
      sendIndex -= 1
      answered = 0
      cursor = BatchCursor()
      if batch.isKeepAlive { continue }
      opened.pass(batch)
      if refused.isOver { pipeline.progress.notices.goesOn() }
      pipeline.complete(batch)
    }
  }

  private mutating func judge(_ reply: ScannedReply, _ batch: Batch) throws(ReplayError) {
    // Any answer to it is a sign of life, a refusal too.
    if batch.isKeepAlive { return }
    if case .loader(let policy) = pipeline.role, let move = batch.move, move.index == answered {
      // 0: the key is there already. No such key: the value has expired while it was being built.
      if case .integer(0) = reply { return try resolveConflict(policy, move.key, batch) }
      if case .error(let line) = reply, line.contains("no such key") { return }
    }
    switch (reply, pipeline.role) {
    case (.success, _), (.integer, _), (.null, .lane): return
    case (.null, .loader(let policy)):
      try resolveConflict(policy, key(batch), batch)
    case (.error(let line), .loader(let policy)) where line.hasPrefix("BUSYKEY"):
      try resolveConflict(policy, key(batch), batch)
    case (.error(let line), .loader) where !batch.isOrdered && RefusedKeys.canWait(line):
      let command = cursor.range(of: answered, in: batch)
      refused.add(command, of: batch, pipeline)
      pipeline.progress.notices.waiting(refusal(line, [], batch).description)
    case (.error(let line), _):
      throw refusal(line, cursor.arguments(of: answered, in: batch), batch)
    case (.errorInArray(let index, let line), .lane)
    where scanner.furtherErrors.count < ReplyScanner.furtherErrorsMax:
      noteRefusal(index, line, batch)
      for error in scanner.furtherErrors { noteRefusal(error.index, error.line, batch) }
    case (.errorInArray(let index, let line), _):
      var error = refusal(line, refusedCommand(index, batch).arguments, batch)
      error.leavesGap = true
      throw error
    }
  }

  /// The key of the command being answered.
  private mutating func key(_ batch: Batch) -> [UInt8] {
    cursor.arguments(of: answered, in: batch).last ?? []
  }

  private func resolveConflict(
    _ policy: ConflictPolicy, _ key: [UInt8], _ batch: Batch
  ) throws(ReplayError) {
    guard case .skip = policy else {
      throw refusal("BUSYKEY", [Array("SET".utf8), key], batch)
    }
    // It was sent under this name, so some key of the source has it there.
    pipeline.progress.rememberSkipped(
      KeyName(database: batch.database, key: pipeline.mapping.sourceKey(of: key) ?? key))
    batch.keyCount -= 1
  }

  /// Tells the replay of a command that did nothing: its keys are not as the source has them.
  private func noteRefusal(_ index: Int, _ line: String, _ batch: Batch) {
    let (arguments, database) = refusedCommand(index, batch)
    pipeline.progress.noteRefusal(
      RefusedCommand(
        arguments: arguments, database: database,
        error: refusal(line, arguments, batch).description))
  }

  /// The command at `index` of the transaction whose EXEC is being answered, as far as it is known, and
  /// the destination's db it acted on.
  private func refusedCommand(
    _ index: Int, _ batch: Batch
  ) -> (arguments: [[UInt8]], database: Int) {
    // Without a MULTI here the transaction was begun in an earlier batch.
    if !opened.isEmpty, index < opened.count { return opened.command(index) }
    var walker = BatchCursor()
    var database = batch.database
    var place = opened.isEmpty ? -1 : index - opened.count
    var arguments: [[UInt8]] = []
    var position = 0
    while position < answered, place < 0 || position <= place {
      arguments = walker.arguments(of: position, in: batch, first: .max)
      if arguments.first == Array("MULTI".utf8) { place = position + 1 + index }
      if let selected = OpenTransaction.selection(arguments) { database = selected }
      position += 1
    }
    return (arguments, database)
  }

  private func refusal(_ line: String, _ arguments: [[UInt8]], _ batch: Batch) -> ReplayError {
    let name = arguments.first.map { String(decoding: $0, as: UTF8.self) } ?? "a command"
    let place =
      answered < batch.commandOffsets.count
      ? " (stream offset \(batch.commandOffsets[answered]))" : ""
    return DestinationRefusal.error(
      line, command: name, key: arguments.count > 1 ? arguments[1] : nil,
      mapping: pipeline.mapping, stringLength: batch.stringLength, place: place,
      peer: socket.peer)
  }

  private func wait() {
    let writes = sendIndex < batches.count && (sendPosition > 0 || !refused.isWaiting)
    let isRung = socket.wait(
      reads: true, writes: writes, orFor: pipeline.bell,
      milliseconds: Self.keepAliveMilliseconds)
    if isRung { pipeline.bell.silence() }
  }
}
