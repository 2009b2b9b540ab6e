// The wire side of a pipeline: one thread that sends batches and counts replies, both as the socket
// allows, and finds the command behind a reply that is an error.

import Glibc
import ReplicaLink

/// Sends what a pipeline's inbox holds and checks the replies one by one. Lives on one thread.
struct PipelineWire: ~Copyable {
  let pipeline: Pipeline
  var socket: Socket
  /// Batches in order: those before `sendIndex` are sent, the first of them waits for replies.
  var batches: ContiguousArray<Batch> = []
  var sendIndex = 0
  var sendPosition = 0
  /// Whether the socket was given bytes of the batch at `sendIndex`: it may hold some that it says it has
  /// not taken, so that nothing else may be sent before them.
  var isOffered = false
  var replies = ByteBuffer(capacity: 1 << 16)
  var scanner = ReplyScanner()
  /// Replies seen of the first batch.
  var answered = 0
  var cursor = BatchCursor()
  /// Whether the last batch that was sent ends inside a command or a transaction.
  var isInside = false
  /// The transaction whose EXEC is still to come, as far as its commands were in earlier batches.
  private var opened = OpenTransaction()
  /// The source's db whose twin a loader's connection is known to be in.
  var selectedDatabase: Int?
  /// Snapshot keys that the destination could not take, to be sent again.
  private var refused = RefusedKeys()
  /// When the last command that was too old had been carried out, on the monotonic clock.
  private var lateMilliseconds = Int64.min / 2
  /// Since when nothing is under way, on the monotonic clock.
  private var idleSince = Clock.monotonicMilliseconds()

  /// A destination may close connections that are quiet for so many seconds (its `timeout`, at least
  /// one): so a quiet connection says something more often than that.
  private static let keepAliveMilliseconds: Int32 = 500
  /// With more batches than this under way a loader need not wake for each answer: the destination, which
  /// gives thousands a second, would spend its time on waking it ...
  private static let busyBatches = 2
  /// ... so that more are left to come together, in microseconds.
  private static let gatheringMicroseconds: UInt32 = 2_000

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
    if !isOffered, let again = refused.take(pipeline) {
      batches.insert(again, at: sendIndex)
    }
    while sendIndex < batches.count, isOffered || !refused.isWaiting {
      let batch = batches[sendIndex]
      let end = sendableEnd(of: batch)
      if sendPosition >= end { return }
      isOffered = true
      let transfer = try ReplayError.wrap { () throws(LinkError) in
        try batch.bytes.withBytes(from: sendPosition) { bytes throws(LinkError) in
          try socket.send(UnsafeRawBufferPointer(rebasing: bytes.prefix(end - sendPosition)))
        }
      }
      guard case .bytes(let count) = transfer else { return }
      sendPosition += count
      guard sendPosition == batch.bytes.count else { continue }
      sendPosition = 0
      isOffered = false
      sendIndex += 1
      if batch.checkpointNumber > 0 { CrashPoint.afterExec.pass() }
      isInside = batch.isOpenEnded
      finishAnsweredBatches()
    }
  }

  /// How far a batch may be sent now. A loader's SELECT of another db is awaited: a server that is busy
  /// with a script refuses it, and may take what follows, into the db before.
  private func sendableEnd(of batch: Batch) -> Int {
    guard case .loader = pipeline.role, !batch.isKeepAlive, batch.database != selectedDatabase
    else { return batch.bytes.count }
    if sendIndex > 0 { return 0 }
    if answered > 0 { return batch.bytes.count }
    var cursor = BatchCursor()
    return cursor.range(of: 0, in: batch).upperBound
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
      if scanner.isBetweenReplies, let batch = batches.first, answered == batch.commandCount - 1 {
        scanner.expect(batch.expectations)
      }
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

  /// The batch a reply belongs to: it must have been sent, to its end for the reply to the command that it
  /// ends with. One that ends inside a command ends with none of those that are counted.
  private func awaitedBatch(_ reply: ScannedReply) throws(ReplayError) -> Batch {
    if let batch = batches.first {
      let partial = batch.isOpenEnded ? batch.commandCount : batch.commandCount - 1
      if sendIndex > 0 || (sendPosition > 0 && answered < partial) { return batch }
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
    if answered == batch.commandCount - 1 { judgeTime(batch) }
    if answered == 0, case .loader = pipeline.role { return try judgeSelect(reply, batch) }
    if case .loader(let policy) = pipeline.role, let move = batch.move, move.index == answered {
      // 0: the key is there already. No such key: the value has expired while it was being built.
      if case .integer(0) = reply { return try resolveConflict(policy, move.key, batch) }
      if case .error(let line) = reply, line.contains("no such key") { return }
    }
    if batch.continuesValue, answered == 1, case .integer(0) = reply { throw partHasExpired(batch) }
    switch (reply, pipeline.role) {
    case (.integer(0), .loader) where !batch.isOrdered: separate(batch)
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
      let errors = [(index: index, line: line)] + scanner.furtherErrors
      let commands = commands(at: errors.map(\.index), in: batch)
      for (error, command) in zip(errors, commands) { noteRefusal(command, error.line, batch) }
    case (.errorInArray(let index, let line), _):
      var error = refusal(line, commands(at: [index], in: batch)[0].arguments, batch)
      error.leavesGap = true
      throw error
    }
  }

  /// The key of the command being answered.
  private mutating func key(_ batch: Batch) -> [UInt8] {
    cursor.arguments(of: answered, in: batch).last ?? []
  }

  /// The answer to the SELECT that a loader's batch begins with.
  private mutating func judgeSelect(_ reply: ScannedReply, _ batch: Batch) throws(ReplayError) {
    guard case .error(let line) = reply else { return selectedDatabase = batch.database }
    var error = refusal(line, cursor.arguments(of: 0, in: batch), batch)
    guard RefusedKeys.canWait(line) else { throw error }
    // It is in that db already, or nothing but the SELECT was sent: then all of it is sent again.
    if selectedDatabase == batch.database { return }
    error.kind = .transient
    error.isLostConnection = true
    throw error
  }

  /// Of the strings of an MSETNX one is there already, and none was written: they are sent one by one, so
  /// that it comes out which.
  private mutating func separate(_ batch: Batch) {
    let words = cursor.arguments(of: answered, in: batch, first: .max)
    let single = batch.emptyTwin()
    for index in stride(from: 1, to: words.count - 1, by: 2) {
      single.bytes.appendCommand(
        [Array("SET".utf8), words[index], words[index + 1], Array("NX".utf8)])
      single.commandCount += 1
      single.keyCount += 1
    }
    batch.keyCount -= single.keyCount
    pipeline.hold(single.bytes.count)
    // What is being sent is finished first.
    batches.insert(single, at: sendIndex + (isOffered ? 1 : 0))
  }

  private func resolveConflict(
    _ policy: ConflictPolicy, _ key: [UInt8], _ batch: Batch
  ) throws(ReplayError) {
    guard case .skip = policy else {
      let database = pipeline.mapping.destination(of: batch.database)
      throw DestinationRefusal.conflict(
        at: KeyName(database: database, key: key), mapping: pipeline.mapping,
        isOfJob: pipeline.connector.runner != nil, peer: socket.peer)
    }
    // It was sent under this name, so some key of the source has it there.
    pipeline.progress.rememberSkipped(
      KeyName(database: batch.database, key: pipeline.mapping.sourceKey(of: key) ?? key))
    batch.keyCount -= 1
  }

  /// Tells the replay of commands whose keys may not be as the source has them: their replies say so, or
  /// they were carried out so late that keys may have expired before them.
  ///
  /// Too late is also what was written before the last old command had been carried out: that one may
  /// have made a key anew which expired meanwhile, and the next may take it for the source's.
  private mutating func judgeTime(_ batch: Batch) {
    var doubtful = scanner.unmet
    if batch.writtenMilliseconds < .max {
      let now = Clock.monotonicMilliseconds()
      let (early, excess) = pipeline.progress.clocks.allowance
      if now - batch.writtenMilliseconds > early {
        lateMilliseconds = now
        pipeline.progress.clocks.noteLate(now)
        doubtful += batch.timely
      } else if batch.writtenMilliseconds < lateMilliseconds + excess {
        doubtful += batch.timely
      }
    }
    if doubtful.isEmpty { return }
    for command in commands(at: Set(doubtful).sorted(), in: batch) {
      pipeline.progress.noteRefusal(RefusedCommand(command: command, error: nil))
    }
  }

  /// Tells the replay of a command that did nothing: its keys are not as the source has them. A key that
  /// is not there has expired.
  private func noteRefusal(_ command: SentCommand, _ line: String, _ batch: Batch) {
    let hasExpired = line.hasPrefix("ERR no such key")
    pipeline.progress.noteRefusal(
      RefusedCommand(
        command: command,
        error: hasExpired ? nil : refusal(line, command.arguments, batch).description))
  }

  /// The commands at these places, which rise, of the transaction whose EXEC is being answered, as far as
  /// they are known, and the destination's dbs they acted on.
  private func commands(at places: [Int], in batch: Batch) -> [SentCommand] {
    var found: [SentCommand] = []
    // Without a MULTI here the transaction was begun in an earlier batch.
    var first = opened.isEmpty ? Int.max : -opened.count
    while found.count < places.count, !opened.isEmpty, places[found.count] < opened.count {
      found.append(opened.command(places[found.count]))
    }
    var walker = BatchCursor()
    var database = batch.database
    var position = 0
    while position < answered, found.count < places.count {
      let isWanted = first < .max && position == first + places[found.count]
      let arguments = walker.arguments(of: position, in: batch, first: isWanted ? .max : 2)
      if arguments.first == Array("MULTI".utf8) { first = position + 1 }
      if let selected = OpenTransaction.selection(arguments) { database = selected }
      if isWanted { found.append(SentCommand(arguments: arguments, database: database)) }
      position += 1
    }
    while found.count < places.count { found.append(.forgotten) }
    return found
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
    let writes =
      sendIndex < batches.count && (isOffered || !refused.isWaiting)
      && sendPosition < sendableEnd(of: batches[sendIndex])
    let isRung = socket.wait(
      reads: true, writes: writes, orFor: pipeline.bell,
      milliseconds: Self.keepAliveMilliseconds)
    if isRung { pipeline.bell.silence() }
    if case .loader = pipeline.role, sendIndex > Self.busyBatches {
      usleep(Self.gatheringMicroseconds)
    }
  }
}
