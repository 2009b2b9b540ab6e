// The table: one row per value type. Source of every layout: rdb-format.md §4 and §6.

extension Grammar {
  static let table: [(RDBType, [Shape])] = [
    (.string, [.string(.stringValue)]),
    (.list, [.repeated([.string(.listItem)])]),
    (.set, [.repeated([.string(.setMember)])]),
    (.sortedSet, [.repeated([.string(.sortedSetMember), .textScore])]),
    (.hash, [.repeated([.string(.hashField), .string(.hashValue)])]),
    (.sortedSet2, [.repeated([.string(.sortedSetMember), .fixed(8, .score)])]),
    (.module, [.length(.moduleID), .moduleData]),
    (.hashZipmap, [.string(.hashZipmap)]),
    (.listZiplist, [.string(.listZiplist)]),
    (.setIntset, [.string(.setIntset)]),
    (.sortedSetZiplist, [.string(.sortedSetZiplist)]),
    (.hashZiplist, [.string(.hashZiplist)]),
    (.quicklist, [.repeated([.string(.listZiplist)])]),
    (.hashListpack, [.string(.hashListpack)]),
    (.sortedSetListpack, [.string(.sortedSetListpack)]),
    (.quicklist2, [.repeated([.length(.nodeContainer), .string(.listNode)])]),
    (.setListpack, [.string(.setListpack)]),
    (
      .hashTTLPreRelease,
      [.repeated([.length(.fieldExpiry), .string(.hashField), .string(.hashValue)])]
    ),
    (.hashListpackTTLPreRelease, [.string(.hashListpackTTL)]),
    (
      .hashTTL,
      [
        .fixed(8, .fieldExpiryBase),
        .repeated(
          [.length(.fieldExpiryRelative), .string(.hashField), .string(.hashValue)]),
      ]
    ),
    (.hashListpackTTL, [.fixed(8, .fieldExpiryBase), .string(.hashListpackTTL)]),
    (
      .valkeyHash2,
      [
        .repeated(
          [.string(.hashField), .string(.hashValueBeforeExpiry), .fixed(8, .fieldExpirySigned)])
      ]
    ),
    // Third-party evidence only: a count, perhaps an insert index, then indexes with tagged items.
    (
      .array,
      [.counted(between: [.optionalLength], body: [.length(.arrayIndex), .tagged(.arrayItem)])]
    ),
    (.stream, stream(form: 1)),
    (.stream2, stream(form: 2)),
    (.stream3, stream(form: 3)),
    (.stream4, stream(form: 4)),
    (.stream5, stream(form: 5)),
  ]

  /// The five forms of a stream, each adding to the one before.
  private static func stream(form: Int) -> [Shape] {
    var shapes: [Shape] = [
      .repeated([.string(.streamNodeID), .string(.streamNode)]),
      .length(.streamLength),
      .length(.streamLastMilliseconds), .length(.streamLastSequence),
    ]
    if form >= 2 {
      shapes += [
        .length(.streamFirstMilliseconds), .length(.streamFirstSequence),
        .length(.streamDeletedMilliseconds), .length(.streamDeletedSequence),
        .length(.streamEntriesAdded),
      ]
    }
    shapes.append(.mark(.streamInfo))
    shapes.append(.repeated(group(form: form)))
    if form >= 4 { shapes += producers }
    return shapes
  }

  private static func group(form: Int) -> [Shape] {
    var shapes: [Shape] = [
      .string(.groupName), .length(.groupLastMilliseconds), .length(.groupLastSequence),
    ]
    if form >= 2 { shapes.append(.length(.groupEntriesRead)) }
    shapes.append(.mark(.groupInfo))
    shapes.append(
      .repeated(
        [.fixed(16, .pendingID), .fixed(8, .pendingTime), .length(.pendingDeliveries)]))
    var consumer: [Shape] = [.string(.consumerName), .fixed(8, .consumerSeenTime)]
    if form >= 3 { consumer.append(.fixed(8, .consumerActiveTime)) }
    consumer.append(.mark(.consumerInfo))
    consumer.append(.repeated([.fixed(16, .consumerPendingID)]))
    shapes.append(.repeated(consumer))
    if form >= 5 { shapes.append(.repeated([.fixed(16, .returnedID)])) }
    shapes.append(.mark(.groupEnd))
    return shapes
  }

  /// Duplicate detection: duration, most ids kept, producers with their ids, two counters.
  private static let producers: [Shape] = [
    .length(.none), .length(.none),
    .repeated(
      [.string(.none), .repeated([.string(.none), .length(.none), .length(.none)])]),
    .length(.none), .length(.none),
  ]
}
