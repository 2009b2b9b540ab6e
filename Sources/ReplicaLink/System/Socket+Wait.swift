// Waiting for a socket: what to poll for is known here alone, since TLS may have to write before it
// can read, and may hold bytes that the system knows nothing of.

import Glibc

extension Socket {
  /// What to poll for to learn when reading or writing can go on. The descriptor is -1 when neither
  /// is wanted: `poll` passes it over, while a real one would end every poll at a hang-up.
  func pollRequest(reads: Bool, writes: Bool) -> pollfd {
    let input = session?.readEvents ?? Int32(POLLIN)
    let output = session?.writeEvents ?? Int32(POLLOUT)
    let events = (reads ? input : 0) | (writes ? output : 0)
    return pollfd(fd: events == 0 ? -1 : descriptor, events: Int16(events), revents: 0)
  }

  /// Whether bytes have arrived that `poll` does not tell of. Never after a `.wouldBlock`.
  var hasPendingInput: Bool { session?.hasPendingInput ?? false }

  /// Waits until reading or writing can go on, `bell` rings, or the time is up.
  ///
  /// - Parameter milliseconds: -1 waits for ever.
  /// - Returns: whether the bell rings; it goes on ringing.
  public func wait(reads: Bool, writes: Bool, orFor bell: WakePipe, milliseconds: Int32) -> Bool {
    if reads, hasPendingInput { return bell.isRinging }
    var polls = (
      pollRequest(reads: reads, writes: writes),
      pollfd(fd: bell.readDescriptor, events: Int16(POLLIN), revents: 0)
    )
    withUnsafeMutableBytes(of: &polls) { bytes in
      _ = poll(bytes.baseAddress?.assumingMemoryBound(to: pollfd.self), 2, milliseconds)
    }
    return polls.1.revents != 0
  }

  /// Waits until the socket is readable (`POLLIN`) or writable (`POLLOUT`).
  ///
  /// - Parameter deadline: on `Clock.monotonicMilliseconds()`; nil waits for ever.
  /// - Returns: false when the deadline passed first.
  public func wait(for events: Int32, untilMilliseconds deadline: Int64?) -> Bool {
    if isReadyWithoutWaiting(events) { return true }
    var request = self.request(events)
    while true {
      var timeout: Int32 = -1
      if let deadline {
        let left = max(0, deadline - Clock.monotonicMilliseconds())
        timeout = Int32(clamping: left)
      }
      let count = poll(&request, 1, timeout)
      if count > 0 { return true }
      if count == 0 { return false }
    }
  }

  /// As `wait(for:untilMilliseconds:)`, ended early by a bell.
  ///
  /// - Throws: `.stopped` when `interrupt` rings; it goes on ringing.
  func wait(
    for events: Int32, untilMilliseconds deadline: Int64, interrupt: WakePipe?
  ) throws(LinkError) -> Bool {
    guard let interrupt else { return wait(for: events, untilMilliseconds: deadline) }
    let request = request(events)
    // Bytes that are here already are no reason to pass over a bell that rings.
    let deadline = isReadyWithoutWaiting(events) ? 0 : deadline
    switch interrupt.wait(
      beside: request.fd, for: Int32(request.events), untilMilliseconds: deadline)
    {
    case .rung: throw LinkError(.stopped, "waiting for \(peer)", "stopped by request")
    case .ready: return true
    case .timedOut: return isReadyWithoutWaiting(events)
    }
  }

  private func request(_ events: Int32) -> pollfd {
    pollRequest(reads: events & Int32(POLLIN) != 0, writes: events & Int32(POLLOUT) != 0)
  }

  private func isReadyWithoutWaiting(_ events: Int32) -> Bool {
    events & Int32(POLLIN) != 0 && hasPendingInput
  }
}
