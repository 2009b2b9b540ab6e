// A cutover in words: what its lines and its report say to a person.

/// Puts the JSON of a cutover into words.
enum CutoverText {
  /// One line of its progress; nil for a line that is none.
  static func line(_ value: JSONValue) -> String? {
    guard value["event"]?.text == "cutover", let step = value["step"]?.text,
      let message = value["message"]?.text
    else { return nil }
    let name = step + String(repeating: " ", count: max(0, 9 - step.count))
    let time = value["took_us"]?.integer.map { milliseconds($0) } ?? ""
    let padded = String(repeating: " ", count: max(0, 12 - time.count)) + time
    let mark = value["state"]?.text == "failed" ? "FAILED: " : ""
    return "\(name)\(padded)  \(mark)\(LogLine.harmless(message))"
  }

  /// What it came to.
  static func summary(_ report: JSONValue) -> String {
    if report["dry_run"]?.boolean == true {
      return report["ok"]?.boolean == true
        ? "nothing was done: this is what a cutover would do" : problem(report)
    }
    guard report["ok"]?.boolean == true else {
      let pause = report["pause_us"]?.integer.map { "; writers were held for \(milliseconds($0))" }
      return "\(problem(report))\(pause ?? ""); the run goes on following"
    }
    let isBack = report["direction"]?.text == "reverse"
    var text = "handed \(isBack ? "back" : "over") at offset \(report["end_offset"]?.integer ?? 0)"
    if let pause = report["pause_us"]?.integer {
      text += "; the application was held for \(milliseconds(pause))"
    }
    if let ended = report["connections_ended"]?.integer {
      text +=
        "; \(ended) connections that waited with a write were ended, and none of these has run"
    }
    if let carried = report["carried_writes"]?.integer, carried > 0 {
      text += "; \(carried) writes that had waited were carried over, behind the application's own"
    }
    if let late = report["late_writes"]?.integer, late > 0 {
      text += "; \(late) WRITES CAME TO THE SOURCE BEHIND IT and are not at the destination"
    }
    if let offset = report["reverse_offset"]?.integer {
      text +=
        "; the run goes on as the reverse, behind the destination's offset \(offset): cutover --back or"
        + " --complete ends it"
    }
    return text
  }

  /// The same of an object that is to be sent.
  static func summary(_ report: JSONObject) -> String {
    (try? JSONValue(Array(report.text.utf8))).map { summary($0) } ?? ""
  }

  /// What an operator has to look at himself, a line each.
  static func remarks(_ report: JSONValue) -> [String] {
    var lines: [String] = []
    for (name, title) in [
      ("carried_write_examples", "carried write"), ("late_write_examples", "late write"),
      ("troubles", "trouble"),
    ] {
      guard case .array(let elements) = report[name] else { continue }
      lines += elements.compactMap { $0.text.map { "\(title): \(LogLine.harmless($0))" } }
    }
    return lines
  }

  private static func problem(_ report: JSONValue) -> String {
    "the cutover failed: \(LogLine.harmless(report["error"]?.text ?? "for an unknown reason"))"
  }

  /// `3.142 ms`.
  private static func milliseconds(_ microseconds: Int64) -> String {
    let rest = String(microseconds % 1000)
    return
      "\(microseconds / 1000).\(String(repeating: "0", count: max(0, 3 - rest.count)))\(rest) ms"
  }
}
