// What following the stream has come to, by kind; written by the replay thread, read by the reports.

import Synchronization

/// Counts of stream commands.
final class StreamCounters: Sendable {
  let read = Atomic<UInt64>(0)
  let forwarded = Atomic<UInt64>(0)
  let split = Atomic<UInt64>(0)
  let dropped = Atomic<UInt64>(0)
  let messagesDropped = Atomic<UInt64>(0)
}
