// What a loader does when its connection is lost: what was not answered goes over the next one.

import ReplicaLink

extension PipelineWire {
  /// The batches of which something was sent.
  private var sentCount: Int { sendIndex + (sendPosition > 0 ? 1 : 0) }

  /// Whether what is not answered can be sent once more. The middle of a value that is built in parts
  /// cannot.
  var canSendAgain: Bool {
    batches[..<sentCount].first { $0.isOrdered }?.beginsValue ?? true
  }

  /// Goes on over a new connection with what was not answered on the old one; says how many batches.
  mutating func sendAgain(on socket: consuming Socket) -> Int {
    var isOverwriting = true
    if case .loader(.replace) = pipeline.role { isOverwriting = false }
    var again: ContiguousArray<Batch> = []
    for (index, batch) in batches[..<sentCount].enumerated() where !batch.isKeepAlive {
      let copy = batch.again(
        from: index == 0 ? answered : 0, overwriting: isOverwriting && !isUntouched(index))
      pipeline.hold(copy.bytes.count - batch.bytes.count)
      again.append(copy)
    }
    let count = again.count
    batches.replaceSubrange(..<sentCount, with: again)
    sendIndex = 0
    sendPosition = 0
    isOffered = false
    answered = 0
    replies.removeAll()
    scanner = ReplyScanner()
    cursor = BatchCursor()
    isInside = false
    selectedDatabase = nil
    self.socket = socket
    return count
  }

  /// Whether no more of a batch was sent than the SELECT that it begins with: no key of it is there by its doing.
  private func isUntouched(_ index: Int) -> Bool {
    guard index == sendIndex else { return false }
    var cursor = BatchCursor()
    return sendPosition <= cursor.range(of: 0, in: batches[index]).upperBound
  }

  /// The rest of a value would get its name without the beginning.
  func partHasExpired(_ batch: Batch) -> ReplayError {
    var cursor = BatchCursor()
    let part = cursor.arguments(of: 1, in: batch).last ?? []
    let key = part.dropLast(LoaderSink.partialSuffix.count)
    return ReplayError(
      "the first part of key \(pipeline.mapping.shown(there: Array(key))) has expired at \(socket.peer), because"
        + " more than an hour went by before the next one: all of it is sent again", .transient)
  }
}
