// ServerSnapshot: a server in the place of a file, for analyze: attached to as a replica, for one snapshot.

import ReplicaLink

/// The link to a server that is looked into.
final class ServerSnapshot: RunPeer {
  private let link: ReplicaLink
  private let bell = WakePipe()
  private let notices = Guarded(LinkNotices())

  init(_ server: AnalyzeOptions.Server) {
    var settings = LinkOptions(timeouts: server.timeouts, spool: server.spool)
    settings.psyncCommand = server.psyncCommand
    settings.usesTwoChannels = server.usesTwoChannels
    let bell = bell
    link = ReplicaLink(
      source: { () throws(LinkError) in try server.sourceLocator.locate(interrupt: bell) },
      options: settings, resumingFrom: nil, readerCount: 1)
  }

  /// Attaches, hands a snapshot to `body`, and leaves. When the link is lost within a snapshot there is
  /// another one from its beginning, and `body` is called again.
  func read<R>(
    _ checkpoint: () throws(ReplayError) -> Void, _ body: (Feed) throws(ReplayError) -> R
  ) throws(ReplayError) -> R {
    let thread = link.start()
    defer {
      bell.ring()
      link.stop()
      thread.join()
    }
    let feed = Feed(link.readers[0])
    while true {
      _ = try feed.awaitSnapshot(checkpoint)
      do throws(ReplayError) {
        return try body(feed)
      } catch {
        if error.kind != .restart { throw error }
      }
    }
  }

  func add(to snapshot: inout ProgressSnapshot) {
    let status = link.status
    snapshot.queueMemoryBytes = status.spool.memoryBytes
    snapshot.queueDiskBytes = status.spool.diskBytes
    guard let start = status.fullResyncs.last?.start else {
      snapshot.phase = .waitingForSnapshot
      return
    }
    if case .length(let length) = start.framing { snapshot.snapshotBytesExpected = length }
  }

  func takeNotices(isStopping: Bool) -> [String] {
    notices.withLock { $0.take(link.status) }
  }
}
