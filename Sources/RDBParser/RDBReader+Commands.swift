// Turning values into plain commands, for destinations that cannot restore them as they are.

extension RDBReader {
  /// Makes the commands be for another key than the entry's. Call it after `.entry` and before
  /// `nextCommands`.
  public mutating func setCommandKey(_ key: Span<UInt8>) {
    commands.key.removeAll()
    commands.key.append(key)
    isCommandKeySet = true
  }

  /// Goes on turning the last entry's value into commands, as `commandOptions` says.
  ///
  /// Call it after `.entry`, instead of `readValue` and `nextElement`, until it returns `.end`. The
  /// commands are in RESP, complete, and of bounded size; `withCommands` lends those of this call.
  /// Sent in order to a destination without the key they make it what the file says.
  ///
  /// Cost: a stream of up to `streamBytesHeldMax` bytes is held whole first and walked twice, because
  /// what is pending and deleted must be known before the entries.
  /// - Throws: `RDBError` on damage; `.unsupportedType` for module values.
  public mutating func nextCommands() throws(RDBError) -> RDBCommandStep {
    commands.removeOutput()
    if phase == .value {
      guard try lookAhead() else { return .needsInput }
      beginCommands()
    }
    if commandsAreComplete {
      commandsAreComplete = false
      return .end(commands.report)
    }
    while true {
      let element = try nextElement()
      if element == .needsInput {
        return commands.outputCount > 0 ? .commands(count: commands.outputCount) : .needsInput
      }
      if element == .end {
        commands.end(expiry: entry.expiryMilliseconds)
        guard commands.outputCount > 0 else { return .end(commands.report) }
        commandsAreComplete = true
        return .commands(count: commands.outputCount)
      }
      guard commands.add(element, from: decoder, window) else { throw commandsFailed(element) }
      if commands.isFull { return .commands(count: commands.outputCount) }
    }
  }

  /// Lends the commands the last `nextCommands` announced.
  public func withCommands<R: ~Copyable, E: Error>(
    _ body: (Span<UInt8>) throws(E) -> R
  ) throws(E) -> R {
    try commands.output.span(0..<commands.output.count, body)
  }

  /// Bytes of the string value that the commands of the last `nextCommands` write a part of; 0 for
  /// values of other types.
  public var commandStringLength: UInt64 { commands.stringLength }

  private mutating func beginCommands() {
    commands.options = commandOptions
    if !isCommandKeySet {
      commands.key.removeAll()
      commands.key.append(key)
    }
    isCommandKeySet = false
    commandsAreComplete = false
    commands.begin()
  }

  private mutating func commandsFailed(_ element: RDBElement) -> RDBError {
    if case .module(let id) = element {
      return failed(
        .unsupportedType, at: consumed, detail: "a value of module \(id) as commands")
    }
    if case .arrayItem = element {
      return failed(.unsupportedType, at: consumed, detail: "an array as commands")
    }
    return failed(
      .limitExceeded, at: consumed,
      detail: "more than \(commandOptions.pendingEntriesMax) pending entries in a group")
  }
}
