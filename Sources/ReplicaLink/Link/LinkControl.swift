// What other threads may ask of the link, and what it tells them of itself.

import Synchronization

/// What a destination asks for when what is held does not serve it.
enum LinkRequest: Sendable {
  /// Everything anew.
  case snapshot(reason: String)
  /// The stream from an earlier place on, which the source may still have.
  case stream(from: ReplicationPlace)

  /// Whether who asks for `other` is served by this.
  func serves(_ other: LinkRequest) -> Bool {
    switch (self, other) {
    case (.snapshot, _): true
    case (.stream, .snapshot): false
    case (.stream(let place), .stream(let wanted)): place.offset <= wanted.offset
    }
  }
}

/// The link's letter box.
///
/// `@unchecked Sendable`: mutable state is either atomic or guarded by `monitor`.
final class LinkControl: @unchecked Sendable {
  /// Rung for the link thread: room in the spool, an ACK wanted, a request.
  let bell = WakePipe()
  /// Rung once, by `stop()`, and never silenced: whatever waits beside it ends.
  let stopBell = WakePipe()
  private let monitor = Monitor()
  private var status = LinkStatus()
  private var request: (request: LinkRequest, generation: Int?)?
  private let wantsAcknowledge = Atomic<Bool>(false)
  private let applied = Atomic<UInt64>(0)

  // MARK: - From other threads

  func stop() {
    stopBell.ring()
    bell.ring()
  }

  /// Asks for something else than what `generation` is, or whatever is there. Of what several
  /// destinations ask for, what serves all of them is kept.
  func ask(_ request: LinkRequest, insteadOf generation: Int?) {
    monitor.withLock {
      if let present = self.request, present.generation == generation,
        present.request.serves(request)
      {
        return
      }
      self.request = (request, generation)
    }
    bell.ring()
  }

  func acknowledge(_ offset: UInt64) {
    _ = applied.max(offset, ordering: .acquiringAndReleasing)
  }

  func acknowledgeNow() {
    wantsAcknowledge.store(true, ordering: .releasing)
    bell.ring()
  }

  var currentStatus: LinkStatus { monitor.withLock { status } }

  // MARK: - From the link thread

  var isStopping: Bool { stopBell.isRinging }
  var appliedOffset: UInt64 { applied.load(ordering: .acquiring) }

  func takeAcknowledgeRequest() -> Bool { wantsAcknowledge.exchange(false, ordering: .acquiring) }

  /// A new snapshot begins: what was applied is of the past.
  func forgetApplied() { applied.store(0, ordering: .releasing) }

  func takeRequest(generation: Int) -> LinkRequest? {
    monitor.withLock {
      guard let (request, wanted) = request else { return nil }
      self.request = nil
      return wanted ?? generation == generation ? request : nil
    }
  }

  func publish(_ status: LinkStatus) {
    monitor.withLock { self.status = status }
  }
}
