// LogLine: one line of a log, for where there is no terminal to draw on.

import Glibc

/// Makes the lines of a log; none of them ends with a newline.
enum LogLine {
  /// Where a run stands.
  static func progress(
    _ snapshot: ProgressSnapshot, rates: Rates?, format: LogFormat, wallMilliseconds: Int64
  ) -> String {
    switch format {
    case .json:
      var object = JSONObject()
      object.add("time", timestamp(wallMilliseconds))
      object.add("event", "progress")
      snapshot.add(to: &object)
      if let rates {
        object.add("keys_per_second", HumanNumber.whole(rates.keysPerSecond))
        object.add("commands_per_second", HumanNumber.whole(rates.commandsPerSecond))
      }
      if let remaining = rates?.remainingMilliseconds { object.add("remaining_ms", remaining) }
      return object.text
    case .text:
      let words = sentence(ProgressText(snapshot: snapshot, rates: rates))
      return "\(timestamp(wallMilliseconds)) \(words)"
    }
  }

  /// Something that happened.
  static func note(_ message: String, format: LogFormat, wallMilliseconds: Int64) -> String {
    event("note", message, format, wallMilliseconds)
  }

  /// Something that may do harm.
  static func warning(_ message: String, format: LogFormat, wallMilliseconds: Int64) -> String {
    event("warning", message, format, wallMilliseconds)
  }

  private static func event(
    _ kind: String, _ message: String, _ format: LogFormat, _ wallMilliseconds: Int64
  ) -> String {
    switch format {
    case .json:
      var object = JSONObject()
      object.add("time", timestamp(wallMilliseconds))
      object.add("event", kind)
      object.add("message", message)
      return object.text
    case .text:
      let label = kind == "note" ? "" : "\(kind): "
      return "\(timestamp(wallMilliseconds)) \(label)\(harmless(message))"
    }
  }

  /// The text without what would move a terminal's cursor or break a line in two.
  static func harmless(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      let isControl = scalar.properties.generalCategory == .control
      result.unicodeScalars.append(isControl ? "?" : scalar)
    }
    return result
  }

  /// The time of day in UTC: `2026-01-31T09:05:07.042Z`.
  static func timestamp(_ wallMilliseconds: Int64) -> String {
    var seconds = time_t(wallMilliseconds / 1000)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    func padded(_ value: some BinaryInteger, _ width: Int = 2) -> String {
      let digits = String(value)
      return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
    let date = "\(parts.tm_year + 1900)-\(padded(parts.tm_mon + 1))-\(padded(parts.tm_mday))"
    let time = "\(padded(parts.tm_hour)):\(padded(parts.tm_min)):\(padded(parts.tm_sec))"
    return "\(date)T\(time).\(padded(wallMilliseconds % 1000, 3))Z"
  }

  private static func sentence(_ text: ProgressText) -> String {
    let snapshot = text.snapshot
    var parts: [String] = []
    switch snapshot.phase {
    case .connecting, .waitingForSnapshot:
      parts.append(text.phaseTime)
    case .reading: parts += [text.keysOfFile, text.snapshotRate]
    case .snapshot:
      if let percent = text.percent { parts.append(percent) }
      parts += ["keys \(text.keys)", "bytes \(text.bytes)"]
      if text.rates != nil { parts.append("rate \(text.snapshotRate)") }
      if snapshot.lagBytes > 0 { parts.append("lag \(text.lag)") }
    case .catchingUp, .following:
      parts += ["lag \(text.lag)", "commands \(text.commands)"]
    case .finished:
      parts += ["keys \(text.keys)", "lag \(text.lag)"]
    }
    if let remaining = text.remaining { parts.append(remaining) }
    if snapshot.queueDiskBytes > 0 { parts.append("queue \(text.queue)") }
    parts += snapshot.destinations.map { destination in
      let text = ProgressText(snapshot: destination, rates: nil).destination
      return "\(destination.address ?? "") \(text)"
    }
    if let warning = snapshot.warning { parts.append("warning: \(harmless(warning))") }
    return "\(snapshot.phase.title): \(parts.joined(separator: "; "))"
  }
}
