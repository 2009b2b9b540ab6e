// Streams as commands: entries, then the stream's counters, then each group with its consumers and
// what is pending with them.
//
// Two things no command can say: when a consumer was last seen, and (7.0 and newer) that an entry is
// pending which has been deleted from the stream; XCLAIM passes over those, as it does in a server's
// own append-only file.

extension CommandBuilder {
  mutating func addStream(
    _ element: RDBElement, _ decoder: borrowing ElementDecoder, _ input: borrowing OwnedBytes
  ) -> Bool {
    switch element {
    case .streamEntry(let id, let fieldCount):
      command("XADD", count: 1 + 2 * fieldCount)
      idArgument(id)
      for index in 0..<fieldCount {
        decoder.withField(index) { name, value in
          Self.argument(name, to: &output)
          Self.argument(value, to: &output)
        }
      }
      hasStreamEntries = true
    case .streamInfo: addInfo(decoder.stream)
    case .streamGroup(let group):
      groupName.removeAll()
      decoder.withElement(input) { groupName.append($0) }
      pending.removeAll(keepingCapacity: true)
      addGroup(group)
    case .streamPending(let entry):
      guard pending.count < options.pendingEntriesMax else { return false }
      pending.append(entry)
    case .streamConsumer:
      dropUncreatedConsumer()
      consumerName.removeAll()
      decoder.withElement(input) { consumerName.append($0) }
      consumerIsCreated = options.features.createConsumer
      if consumerIsCreated { addConsumer() }
    case .streamOwned(let id): addClaim(id)
    case .streamReturned: report.droppedReturned += 1
    case .streamGroupEnd:
      dropUncreatedConsumer()
      consumerIsCreated = true
    default: break
    }
    return true
  }

  /// Before 6.2 a consumer comes into being with its first pending entry only.
  private mutating func dropUncreatedConsumer() {
    if !consumerIsCreated { report.droppedConsumers += 1 }
  }

  private mutating func addInfo(_ info: RDBStreamInfo) {
    consumerIsCreated = true
    if !hasStreamEntries {
      // The only way to a stream without entries: one that is trimmed away at once. Id 0-0 cannot be
      // added; XSETID below goes back to it.
      command("XADD", count: 5)
      Self.argument("MAXLEN", to: &output)
      Self.argument("0", to: &output)
      idArgument(max(info.lastID, RDBStreamID(milliseconds: 0, sequence: 1)))
      Self.argument("x", to: &output)
      Self.argument("y", to: &output)
    }
    let hasCounters = options.features.streamCounters && info.entriesAdded != nil
    command("XSETID", count: hasCounters ? 5 : 1)
    idArgument(info.lastID)
    if hasCounters, let added = info.entriesAdded, let deleted = info.maxDeletedID {
      Self.argument("ENTRIESADDED", to: &output)
      decimalArgument(Int64(clamping: added))
      Self.argument("MAXDELETEDID", to: &output)
      idArgument(deleted)
    }
  }

  private mutating func addGroup(_ group: RDBStreamGroup) {
    let entriesRead = options.features.streamCounters ? group.entriesRead : nil
    groupCommand("CREATE", count: entriesRead == nil ? 1 : 3)
    idArgument(group.lastID)
    if let entriesRead {
      Self.argument("ENTRIESREAD", to: &output)
      decimalArgument(Int64(clamping: entriesRead))
    }
  }

  private mutating func addConsumer() {
    groupCommand("CREATECONSUMER", count: 1)
    Self.argument(consumerName, to: &output)
  }

  /// XGROUP puts its subcommand before the key.
  private mutating func groupCommand(_ name: StaticString, count: Int) {
    Self.header(4 + count, "XGROUP", to: &output)
    Self.argument(name, to: &output)
    Self.argument(key, to: &output)
    Self.argument(groupName, to: &output)
    outputCount += 1
    report.commands += 1
  }

  /// Makes an entry pending with the present consumer, with its delivery time and count.
  private mutating func addClaim(_ id: RDBStreamID) {
    consumerIsCreated = true
    guard let entry = pendingEntry(id) else { return }
    command("XCLAIM", count: 10)
    Self.argument(groupName, to: &output)
    Self.argument(consumerName, to: &output)
    Self.argument("0", to: &output)
    idArgument(id)
    Self.argument("TIME", to: &output)
    decimalArgument(entry.deliveryMilliseconds)
    Self.argument("RETRYCOUNT", to: &output)
    decimalArgument(Int64(clamping: entry.deliveries))
    Self.argument("FORCE", to: &output)
    Self.argument("JUSTID", to: &output)
  }

  /// The group's pending entry of this id. The file has them in ascending order.
  private func pendingEntry(_ id: RDBStreamID) -> RDBStreamPending? {
    var low = 0
    var high = pending.count
    while low < high {
      let middle = (low + high) / 2
      if pending[middle].id < id { low = middle + 1 } else { high = middle }
    }
    return low < pending.count && pending[low].id == id ? pending[low] : nil
  }

  private mutating func idArgument(_ id: RDBStreamID) {
    number.removeAll()
    number.appendDecimal(id.milliseconds)
    number.append(UInt8(ascii: "-"))
    number.appendDecimal(id.sequence)
    Self.argument(number, to: &output)
  }
}
