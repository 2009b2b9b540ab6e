// What a spool says of itself and of the bytes it has seen, to any thread.

extension Spool {
  /// What the spool holds now.
  var status: SpoolStatus {
    monitor.withLock {
      var status = SpoolStatus()
      status.memoryBytes = snapshot.memoryBytes + stream.memoryBytes
      status.diskBytes = snapshot.diskBytes + stream.diskBytes
      let unread = openReaders.map { reader in
        self.snapshot.end - reader.snapshotCursor(in: self)
          + self.stream.end - min(self.stream.end, reader.cursor(in: self))
      }
      status.unreadBytes = unread.max() ?? 0
      status.receivedBytes = receivedBytes
      status.fullReason = fullReason
      return status
    }
  }

  /// When the stream byte behind `offset` arrived, in milliseconds since 1970; nil when it has not, or
  /// was forgotten.
  func receiptTime(at offset: UInt64) -> Int64? {
    monitor.withLock { times.wallMilliseconds(at: offset) }
  }

  /// Whether the byte behind `offset` was written at the source before it was asked for.
  func isLate(at offset: UInt64) -> Bool {
    monitor.withLock { late.contains { $0.contains(offset) } }
  }
}
