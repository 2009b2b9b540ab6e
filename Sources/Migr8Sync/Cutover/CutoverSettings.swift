// What a cutover was told, on the command line or through the control socket: the same names and the
// same texts in both, read here alone.

/// How the source's writers are kept away while the last of the stream is brought over.
enum FenceKind: Sendable, Equatable {
  /// `CLIENT PAUSE … WRITE`; before 6.2, which has no WRITE, everything.
  case pause
  /// `CLIENT PAUSE`, everything, whatever the version.
  case pauseAll
  /// One user loses the right to write what moves.
  case user(String)
  /// The application has stopped by itself.
  case nothing
  /// Commands of the operator's.
  case hook

  init?(_ text: String) {
    switch text {
    case "pause": self = .pause
    case "pause-all": self = .pauseAll
    case "none": self = .nothing
    case "hook": self = .hook
    default:
      guard text.hasPrefix("acl:"), text.utf8.count > 4 else { return nil }
      let user = String(text.dropFirst(4))
      guard !user.unicodeScalars.contains(where: { $0.value <= 32 }) else { return nil }
      self = .user(user)
    }
  }
}

/// The settings of one cutover.
struct CutoverSettings: Sendable, Equatable {
  /// What becomes of writes that wait at the source behind the fence.
  enum Queued: String, Sendable {
    /// The connections that wait with them are ended: none of them runs.
    case refuse
    /// They run at the source when the fence is lifted, and are reported.
    case run
    /// The same, and they are brought over behind the application.
    case carry
  }

  /// The least time that must be left of the fence for the hand-over to begin, in milliseconds.
  static let reserveMilliseconds: Int64 = 100
  /// The longest fence, in milliseconds.
  static let fenceMillisecondsMax: UInt64 = 60_000

  /// Whether what the destination gets behind the hand-over is brought back to the source.
  var reverses = false
  /// Whether this is the hand-over back, of a job whose reverse runs.
  var isBack = false
  /// Lag above this refuses the cutover, in milliseconds.
  var maxLagMilliseconds: Int64 = 1_000
  var skipsVerify = false
  /// Whether keys that were left alone (`--on-conflict skip`) are no objection.
  var acceptsSkippedKeys = false
  var fence = FenceKind.pause
  /// How long the fence lasts at the most, by the source's own clock, in milliseconds.
  var fenceMilliseconds: Int64 = 5_000
  var queued = Queued.refuse
  /// How long the last comparison inside the fence may take; 0 leaves it out.
  var checkMilliseconds: Int64 = 10
  /// How long changed keys are gathered for it, before the fence.
  var observeMilliseconds: Int64 = 1_000
  /// How long the source is watched for late writes behind the hand-over.
  var lingerMilliseconds: Int64 = 1_000
  /// How long one hook may take.
  var hookMilliseconds: Int64 = 2_000
  /// The operator's commands, by the event they are for.
  var hooks: [HookEvent: String] = [:]
  /// The hand-over waits while this file exists.
  var postponeFile: String?
  /// Whether only to say what would be done.
  var isDryRun = false

  /// Why a setting is wrong.
  struct Problem: Error, Sendable {
    let name: String
    let expected: String
  }

  /// Reads settings by their names.
  init(_ values: [String: String]) throws(Problem) {
    for (name, text) in values { try set(name, text) }
    if reverses, isBack {
      throw Problem(name: "back", expected: "no --reverse beside it: going back ends the job")
    }
    if reverses, queued == .carry {
      throw Problem(
        name: "queued", expected: "refuse or run beside --reverse: what is carried would come back")
    }
    if fence == .hook, hooks[.fence] == nil || hooks[.lift] == nil {
      throw Problem(name: "fence", expected: "--on-fence and --on-lift where it is a hook")
    }
  }

  /// Takes what concerns a cutover out of a request.
  init(taking members: inout [String: JSONValue]) throws(ControlRequest.Problem) {
    var values: [String: String] = [:]
    for (name, value) in members where Self.names.contains(name) {
      members[name] = nil
      switch value {
      case .string(let text): values[name] = text
      case .boolean(let isSet): if isSet { values[name] = "" }
      default: throw ControlRequest.Problem(description: "\(name) takes a text, or true")
      }
    }
    do {
      try self.init(values)
    } catch {
      throw ControlRequest.Problem(description: "\(error.name) takes \(error.expected)")
    }
  }

  /// Every name there is.
  static let names: Set<String> = Set(
    [
      "reverse", "back", "max-lag", "skip-verify", "accept-skipped", "fence", "fence-time",
      "queued", "check-time",
      "observe-time", "linger", "hook-timeout", "postpone-file", "dry-run",
    ] + HookEvent.allCases.map(\.option))

  private mutating func set(_ name: String, _ text: String) throws(Problem) {
    switch name {
    case "reverse": reverses = true
    case "back": isBack = true
    case "max-lag": maxLagMilliseconds = try Self.time(name, text)
    case "skip-verify": skipsVerify = true
    case "accept-skipped": acceptsSkippedKeys = true
    case "fence":
      guard let kind = FenceKind(text) else {
        throw Problem(name: name, expected: "pause, pause-all, acl:USER, hook or none")
      }
      fence = kind
    case "fence-time":
      fenceMilliseconds = try Self.time(name, text)
      guard fenceMilliseconds >= 2 * Self.reserveMilliseconds else {
        throw Problem(name: name, expected: "at least \(2 * Self.reserveMilliseconds)ms")
      }
    case "queued":
      guard let queued = Queued(rawValue: text) else {
        throw Problem(name: name, expected: "refuse, run or carry")
      }
      self.queued = queued
    case "check-time": checkMilliseconds = try Self.time(name, text)
    case "observe-time": observeMilliseconds = try Self.time(name, text)
    case "linger": lingerMilliseconds = try Self.time(name, text)
    case "hook-timeout": hookMilliseconds = try Self.time(name, text)
    case "postpone-file":
      guard text.hasPrefix("/") else { throw Problem(name: name, expected: "a path from the root") }
      postponeFile = text
    case "dry-run": isDryRun = true
    default:
      guard let event = HookEvent.allCases.first(where: { $0.option == name }), !text.isEmpty else {
        throw Problem(name: name, expected: "a command")
      }
      hooks[event] = text
    }
  }

  private static func time(_ name: String, _ text: String) throws(Problem) -> Int64 {
    guard let time = Quantity.milliseconds(text), time <= fenceMillisecondsMax else {
      throw Problem(name: name, expected: "a time with its unit, up to a minute: 500ms, 10s or 1m")
    }
    return Int64(time)
  }
}
