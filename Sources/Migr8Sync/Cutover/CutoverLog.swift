// What a cutover says while it goes on: a JSON object for every step, and one at the end. The same lines
// go to whoever asked for it and, in words, to the notes of the run.

import ReplicaLink

/// Times the steps and tells of them.
struct CutoverLog {
  /// How long a step took, in microseconds.
  private(set) var steps: [(step: CutoverStep, microseconds: Int64)] = []
  private let say: (JSONObject) -> Void
  private let begun = Clock.monotonicMicroseconds()

  init(_ say: @escaping (JSONObject) -> Void) {
    self.say = say
  }

  /// A step begins that may take its time.
  func begin(_ step: CutoverStep, _ message: String) {
    say(line(step, "begun", message))
  }

  /// A step has ended.
  mutating func end(
    _ step: CutoverStep, since start: Int64, _ message: String, isGood: Bool = true
  ) {
    let microseconds = Clock.monotonicMicroseconds() - start
    steps.append((step, microseconds))
    var object = line(step, isGood ? "done" : "failed", message)
    object.add("took_us", microseconds)
    say(object)
  }

  /// One line of what a dry run shows.
  func plan(_ step: CutoverStep, _ message: String) {
    say(line(step, "would", message))
  }

  private func line(_ step: CutoverStep, _ state: String, _ message: String) -> JSONObject {
    var object = JSONObject()
    object.add("event", "cutover")
    object.add("step", step.rawValue)
    object.add("state", state)
    object.add("at_us", Clock.monotonicMicroseconds() - begun)
    object.add("message", message)
    return object
  }
}
