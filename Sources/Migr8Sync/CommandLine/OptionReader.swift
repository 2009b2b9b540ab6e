// OptionReader: reads the value of one option after the other, for every command. Here what all
// commands share; the rules about keys are in OptionReader+Keys.swift, routes in +Routes.swift.

import ReplicaLink

/// Turns the texts of options into values.
struct OptionReader {
  let arguments: ScannedArguments
  /// Looks a variable of the environment up.
  let environment: (String) -> String?

  func wrong(_ name: CommandOption.Name, takes expected: String) -> UsageError {
    UsageError(arguments.command.option(name), takes: expected, at: arguments.origin(of: name))
  }

  // MARK: Words and numbers

  /// One of the words that an option takes.
  func choice<Choice: RawRepresentable & CaseIterable>(
    _ name: CommandOption.Name
  ) throws(UsageError) -> Choice where Choice.RawValue == String {
    let word = try arguments.required(name)
    guard let choice = Choice(rawValue: word) else {
      let words = Choice.allCases.map(\.rawValue)
      throw wrong(
        name, takes: words.dropLast().joined(separator: ", ") + " or " + (words.last ?? ""))
    }
    return choice
  }

  /// The same for an option without a default; nil when it is not given.
  func choiceIfGiven<Choice: RawRepresentable & CaseIterable>(
    _ name: CommandOption.Name
  ) throws(UsageError) -> Choice? where Choice.RawValue == String {
    arguments.has(name) ? try choice(name) : nil
  }

  /// A number; nil when it is not given.
  func number(
    _ name: CommandOption.Name, in range: ClosedRange<UInt64>
  ) throws(UsageError) -> UInt64? {
    guard let text = try arguments.value(name) else { return nil }
    guard let number = Quantity.number(text), range.contains(number) else {
      throw wrong(name, takes: "a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// A day in milliseconds, the longest time that an option takes.
  static let day: Int64 = 86_400_000

  /// A time in milliseconds.
  func milliseconds(
    _ name: CommandOption.Name, in range: ClosedRange<Int64>
  ) throws(UsageError) -> Int64 {
    guard
      let time = Quantity.milliseconds(try arguments.required(name)).flatMap({ Int64(exactly: $0) }
      ),
      range.contains(time)
    else {
      let longest = range.upperBound == Self.day ? "a day" : "\(range.upperBound / 1_000) s"
      throw wrong(name, takes: "a time with its unit, up to \(longest): 500ms, 10s or 2m")
    }
    return time
  }

  // MARK: Servers

  /// The source, with its passwords.
  func source() throws(UsageError) -> RedisURL {
    var url = try url(try arguments.required(.source), .source, arguments.origin(of: .source))
    try url.mergePassword(
      file: arguments.command.option(.sourcePasswordFile),
      path: try arguments.value(.sourcePasswordFile),
      environment: environment("MIGR8SYNC_SOURCE_PASSWORD"))
    url.mergeSentinelPassword(environment("MIGR8SYNC_SOURCE_SENTINEL_PASSWORD"))
    return url
  }

  /// The destination that --dest names, with its passwords.
  func destination() throws(UsageError) -> RedisURL {
    var url = try url(
      try arguments.required(.destination), .destination, arguments.origin(of: .destination))
    try complete(&url, path: try arguments.value(.destinationPasswordFile))
    return url
  }

  /// Fills in a destination's passwords.
  func complete(_ url: inout RedisURL, path: String?) throws(UsageError) {
    try url.mergePassword(
      file: arguments.command.option(.destinationPasswordFile), path: path,
      environment: environment("MIGR8SYNC_DEST_PASSWORD"))
    url.mergeSentinelPassword(environment("MIGR8SYNC_DEST_SENTINEL_PASSWORD"))
  }

  /// Parses a URL.
  func url(
    _ text: String, _ name: CommandOption.Name, _ origin: OptionValue.Origin
  ) throws(UsageError) -> RedisURL {
    do {
      return try RedisURL(text)
    } catch {
      throw UsageError("\(arguments.command.option(name).longName): \(error)", at: origin)
    }
  }

  // MARK: Job

  /// The name of a job.
  func jobName(_ option: CommandOption.Name) throws(UsageError) -> String? {
    try arguments.value(option).map { name throws(UsageError) in try jobName(name, option) }
  }

  /// The names of jobs that `--unrelated-job` gives.
  func unrelatedJobs() throws(UsageError) -> Set<String> {
    var names: Set<String> = []
    for value in arguments.all(.unrelatedJob) {
      names.insert(try jobName(value.text ?? "", .unrelatedJob))
    }
    return names
  }

  private func jobName(
    _ name: String, _ option: CommandOption.Name
  ) throws(UsageError) -> String {
    guard JobIdentity.isName(name) else {
      throw wrong(
        option,
        takes: "a name of up to \(JobIdentity.nameBytesMax) letters, digits, '-', '_', '.'")
    }
    return name
  }

  // MARK: Resources

  /// A size in bytes.
  func bytes(_ name: CommandOption.Name) throws(UsageError) -> UInt64 {
    guard let bytes = Quantity.bytes(try arguments.required(name)) else {
      throw wrong(name, takes: "a size such as 512kb, 64mb, 1gb or a number of bytes")
    }
    return bytes
  }

  /// The most that may be written in a second.
  func maximumRate() throws(UsageError) -> RateLimit {
    guard let text = try arguments.value(.maximumRate) else { return .none }
    guard let limit = RateLimit(text) else { throw wrong(.maximumRate, takes: RateLimit.form) }
    return limit
  }

  /// The limits on waiting for a server.
  func timeouts() throws(UsageError) -> Timeouts {
    Timeouts(
      connectMilliseconds: try milliseconds(.connectTimeout, in: 1...Self.day),
      ioMilliseconds: try milliseconds(.ioTimeout, in: 1...Self.day))
  }

  // MARK: Output

  /// What the operator should know of the file of options.
  func warnings() -> [String] {
    guard let file = arguments.file, file.isWorldReadable else { return [] }
    let urls: [CommandOption.Name] = [.source, .destination, .route]
    let holdsPassword = urls.flatMap { arguments.all($0) }.contains { value in
      guard case .file = value.origin, let text = value.text else { return false }
      // Of a route, the URL is what follows the '='; of a URL, there may be none.
      let parts = [text, RouteText(value.bytes)?.url ?? ""]
      return parts.contains { (try? RedisURL($0))?.holdsPassword ?? false }
    }
    if !holdsPassword { return [] }
    return ["every user of this machine can read \(file.name), which holds a password (chmod 600)"]
  }
}
