// One thing that was looked at before a run, what was found, and what to do about it.

import ReplicaLink

/// A row of the table that `check` prints.
struct CheckFinding: Sendable, Equatable {
  /// How much it matters.
  enum Level: String, Sendable {
    case pass
    /// The run works and may not do what the operator expects, or may cost something.
    case warn
    /// The run would not begin, would stop, or would lose something.
    case fail
  }

  let level: Level
  /// What was looked at, in a word or two that scripts can rely on.
  let subject: String
  /// What was found, with numbers.
  let text: String
  /// What to do; empty when all is well.
  var advice = ""

  static func pass(_ subject: String, _ text: String) -> CheckFinding {
    CheckFinding(level: .pass, subject: subject, text: text)
  }

  static func warn(_ subject: String, _ text: String, _ advice: String) -> CheckFinding {
    CheckFinding(level: .warn, subject: subject, text: text, advice: advice)
  }

  static func fail(_ subject: String, _ text: String, _ advice: String) -> CheckFinding {
    CheckFinding(level: .fail, subject: subject, text: text, advice: advice)
  }

  var json: JSONObject {
    var object = JSONObject()
    object.add("level", level.rawValue)
    object.add("check", subject)
    object.add("found", text)
    if !advice.isEmpty { object.add("do", advice) }
    return object
  }

  /// In one line, as an error or a note tells it.
  var line: String { "\(subject): \(text)" + (advice.isEmpty ? "" : " (\(advice))") }
}
