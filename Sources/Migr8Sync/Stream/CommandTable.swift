// CommandTable: command name -> shape, for every command a replication stream may hold.
//
// The entries are in CommandTable+Entries.swift. A lookup happens for every command of the
// stream, so it is an open-addressing table over the bytes of the name: no String, no allocation.

/// The commands the program knows.
struct CommandTable: Sendable {
  /// Every write command of Redis 2.6 to 8.2 and Valkey 8.1, and what else their streams hold.
  static let builtIn = CommandTable(entries)

  /// A name no longer than this is looked up at all.
  private static let nameBytesMax = 32

  private let shapes: [CommandShape]
  private let specifications: [[KeySpecification]]
  /// All names one after the other, in lower case; name `n` begins at `nameStarts[n]`.
  private let names: [UInt8]
  private let nameStarts: [Int]
  /// A power of two, at most half full: 0 is free, otherwise the index of the shape plus 1.
  private let slots: [UInt16]

  /// Builds the table from lower-case names, and the specifications that shapes refer to.
  init(
    _ entries: [(name: String, shape: CommandShape)], specifications: [[KeySpecification]] = []
  ) {
    self.specifications = specifications
    var names: [UInt8] = []
    var nameStarts: [Int] = []
    var slotCount = 64
    while slotCount < entries.count * 2 { slotCount *= 2 }
    var slots = [UInt16](repeating: 0, count: slotCount)
    for (index, entry) in entries.enumerated() {
      let name = Array(entry.name.utf8)
      nameStarts.append(names.count)
      names += name
      var slot = Self.hash(name.span) & (slotCount - 1)
      while slots[slot] != 0 { slot = (slot + 1) & (slotCount - 1) }
      slots[slot] = UInt16(index + 1)
    }
    nameStarts.append(names.count)
    shapes = entries.map(\.shape)
    self.names = names
    self.nameStarts = nameStarts
    self.slots = slots
  }

  /// The shape of a command, its name in any case; `nil` for an unknown one. Cost: linear in the
  /// name, no allocation.
  func shape(named name: Span<UInt8>) -> CommandShape? {
    guard !name.isEmpty, name.count <= Self.nameBytesMax else { return nil }
    let mask = slots.count - 1
    var slot = Self.hash(name) & mask
    // Ends: half of the slots are free.
    while slots[slot] != 0 {
      let index = Int(slots[slot]) - 1
      if isName(index, name) { return shapes[index] }
      slot = (slot + 1) & mask
    }
    return nil
  }

  /// The keys of a command of this shape.
  ///
  /// - Returns: the positions, or `nil` when the command is malformed.
  func keys(
    of shape: CommandShape, in bytes: Span<UInt8>, arguments: Span<Range<Int>>
  ) -> KeyPositions? {
    guard case .movable(.specified(let number)) = shape.kind else {
      return KeyPositions.find(shape, in: bytes, arguments: arguments)
    }
    var list: [Int] = []
    for specification in specifications[number] {
      guard let indices = specification.keys(in: bytes, arguments) else { return nil }
      for index in indices where !list.contains(index) { list.append(index) }
    }
    return KeyPositions(list: list)
  }

  private func isName(_ index: Int, _ name: Span<UInt8>) -> Bool {
    let start = nameStarts[index]
    guard nameStarts[index + 1] - start == name.count else { return false }
    for offset in name.indices where names[start + offset] != name[offset].asciiLowercased {
      return false
    }
    return true
  }

  /// FNV-1a over the bytes with the case bit set, which is the same for both cases of a letter.
  private static func hash(_ name: Span<UInt8>) -> Int {
    var hash: UInt32 = 2_166_136_261
    for index in name.indices {
      hash = (hash ^ UInt32(name[index] | 0x20)) &* 16_777_619
    }
    return Int(hash ^ hash >> 15)
  }
}
