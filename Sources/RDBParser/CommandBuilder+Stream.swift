// Streams as commands: entries, then the stream's counters, then each group with its consumers and
// what is pending with them.
//
// One thing no command can say: when a consumer was last seen. Another takes a detour: that an entry is
// pending which has been deleted from the stream; see CommandBuilder+StandIns.swift. For a stream too large
// to be held that detour is closed, and XCLAIM passes over such entries, as it does when a server reads
// its own append-only file.

extension CommandBuilder {
  mutating func addStream(
    _ element: RDBElement, _ decoder: borrowing ElementDecoder, _ input: borrowing OwnedBytes
  ) -> Bool {
    switch element {
    case .streamEntry(let id, let fieldCount):
      passEntry(id)
      command("XADD", count: 1 + 2 * fieldCount)
      idArgument(id)
      for index in 0..<fieldCount {
        decoder.withField(index) { name, value in
          Self.argument(name, to: &output)
          Self.argument(value, to: &output)
        }
      }
      hasStreamEntries = true
    case .streamInfo:
      streamInfo = decoder.stream
      addInfo(decoder.stream)
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
    addStandIns { $0 <= info.lastID }
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
    // Stand-ins would stand in the way: they count as entries until they are gone.
    if standIns.isEmpty { setID(info) }
  }

  /// Sets what the stream says about itself. A file from before 7.0 does not say how many entries
  /// were added; a server that loads one takes those that are there.
  mutating func setID(_ info: RDBStreamInfo) {
    let hasCounters =
      options.features.streamCounters && (info.entriesAdded != nil || !standIns.isEmpty)
    let deleted = hasCounters ? info.maxDeletedID : nil
    command("XSETID", count: 1 + (hasCounters ? 2 : 0) + (deleted == nil ? 0 : 2))
    idArgument(info.lastID)
    if hasCounters {
      Self.argument("ENTRIESADDED", to: &output)
      decimalArgument(Int64(clamping: info.entriesAdded ?? info.length))
    }
    if let deleted {
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

  mutating func idArgument(_ id: RDBStreamID) {
    number.removeAll()
    number.appendDecimal(id.milliseconds)
    number.append(UInt8(ascii: "-"))
    number.appendDecimal(id.sequence)
    Self.argument(number, to: &output)
  }
}
