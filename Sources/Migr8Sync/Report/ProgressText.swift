// ProgressText: a snapshot in words. The live display and the lines of a log say the same things
// with the same words; only the layout differs.

/// What one snapshot and the current speed have to say, piece by piece.
struct ProgressText {
  let snapshot: ProgressSnapshot
  /// `nil` while it is too early to tell.
  let rates: Rates?

  /// `46 %`, while the snapshot is read and its size is known.
  var percent: String? {
    guard [.snapshot, .reading].contains(snapshot.phase), let fraction = snapshot.snapshotFraction
    else { return nil }
    return "\(Int(fraction * 100)) %"
  }

  /// `ETA 12 s`, where it can be told.
  var remaining: String? {
    rates?.remainingMilliseconds.map { "ETA \(HumanNumber.duration(milliseconds: $0))" }
  }

  /// How long this phase has taken.
  var phaseTime: String {
    let time = snapshot.phaseMilliseconds[snapshot.phase] ?? snapshot.elapsedMilliseconds
    return HumanNumber.duration(milliseconds: time)
  }

  /// The keys of a file.
  var keysOfFile: String {
    if snapshot.keysWritten + snapshot.keysSkipped > 0 { return keys }
    return "\(HumanNumber.count(snapshot.keysRead)) read,"
      + " \(HumanNumber.count(snapshot.keysMatched)) matched"
  }

  /// The keys of the snapshot.
  var keys: String {
    let read = HumanNumber.count(snapshot.keysRead)
    let expected = snapshot.keysExpected.map { " of \(HumanNumber.short($0))" } ?? ""
    let skipped = snapshot.keysSkipped
    return "\(read)\(expected) read, \(HumanNumber.count(snapshot.keysMatched)) matched, "
      + "\(HumanNumber.count(snapshot.keysWritten)) written"
      + (skipped > 0 ? ", \(HumanNumber.count(skipped)) skipped" : "")
  }

  /// The bytes of the snapshot.
  var bytes: String {
    let expected = snapshot.snapshotBytesExpected.map { " of \(HumanNumber.bytes($0))" } ?? ""
    return "\(HumanNumber.bytes(snapshot.snapshotBytesRead))\(expected) read, "
      + "\(HumanNumber.bytes(snapshot.bytesWritten)) written"
  }

  /// How fast the snapshot is read.
  var snapshotRate: String {
    guard let rates else { return "not known yet" }
    return HumanNumber.rate(rates.keysPerSecond, of: "keys") + ", "
      + HumanNumber.byteRate(rates.snapshotBytesPerSecond)
  }

  /// The commands of the stream.
  var commands: String {
    var text =
      "\(HumanNumber.count(snapshot.commandsRead)) read, "
      + "\(HumanNumber.count(snapshot.commandsForwarded)) forwarded"
    if let rates {
      text += ", \(HumanNumber.rate(rates.commandsPerSecond, of: "commands"))"
      text += ", \(HumanNumber.byteRate(rates.streamBytesPerSecond))"
    }
    return text
  }

  /// How far the destination is behind.
  var lag: String {
    "\(HumanNumber.bytes(snapshot.lagBytes)), "
      + HumanNumber.duration(milliseconds: snapshot.lagMilliseconds)
  }

  /// Where one of several destinations stands.
  var destination: String {
    let title = snapshot.phase.title
    switch snapshot.phase {
    case .reading, .connecting, .waitingForSnapshot: return title
    case .snapshot:
      return [title, percent, "\(HumanNumber.count(snapshot.keysWritten)) keys written"]
        .compactMap(\.self).joined(separator: ", ")
    case .catchingUp, .following, .finished:
      return "\(title), lag \(lag), \(HumanNumber.count(snapshot.keysWritten)) keys written,"
        + " \(HumanNumber.count(snapshot.commandsForwarded)) commands forwarded"
    }
  }

  /// What waits between the source and the destination.
  var queue: String {
    let disk = snapshot.queueDiskBytes
    let onDisk = disk > 0 ? ", \(HumanNumber.bytes(disk)) on disk" : ""
    return "\(HumanNumber.bytes(snapshot.queueMemoryBytes)) in memory\(onDisk)"
  }
}
