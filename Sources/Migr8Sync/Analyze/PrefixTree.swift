// PrefixTree: how much each prefix holds, in a bounded number of nodes.
//
//   user:            a node for each prefix that ends with a separator; each counts all keys below it,
//     user:eu:       so that dropping a node loses nothing but detail
//
// Two rules keep it small. A node with many children that hold few keys each has ids for children: it is
// closed, and they go. And when there are too many nodes all the same, those that hold least go.

/// What keys come to.
struct PrefixTally: Sendable, Equatable {
  var keys: UInt64 = 0
  /// Bytes in the file.
  var bytes: UInt64 = 0
  /// Bytes in memory, estimated.
  var memory: UInt64 = 0
  /// Keys that expire.
  var expiring: UInt64 = 0

  @inline(__always)
  mutating func add(_ other: PrefixTally) {
    keys = keys.saturatingAdd(other.keys)
    bytes = bytes.saturatingAdd(other.bytes)
    memory = memory.saturatingAdd(other.memory)
    expiring = expiring.saturatingAdd(other.expiring)
  }

  /// Makes it stand for more keys than were counted.
  mutating func scale(_ weight: Double) {
    (keys, expiring) = (keys.scaled(weight), expiring.scaled(weight))
    (bytes, memory) = (bytes.scaled(weight), memory.scaled(weight))
  }
}

extension UInt64 {
  /// `weight` times as many, or the most there can be.
  func scaled(_ weight: Double) -> UInt64 {
    let product = (Double(self) * weight).rounded()
    return UInt64(exactly: product) ?? (product > 0 ? .max : 0)
  }
}

/// Counts by prefix.
struct PrefixTree {
  struct Node {
    var tally = PrefixTally()
    var parent: Int32
    /// Where in `names` its last part is.
    var nameStart: Int32
    var nameLength: Int32
    var children: Int32 = 0
    var depth: UInt8
    /// Whether it takes no children any more.
    var isClosed = false
  }

  /// The most nodes there may be.
  static let nodesMax = 1 << 16
  /// How deep prefixes are followed, in parts.
  static let depthMax: UInt8 = 8
  /// From how many children on a node is asked whether they are ids, and how many keys each must hold
  /// on average for it to stay open.
  private static let childrenMax: Int32 = 256
  private static let keysPerChildMin: UInt64 = 8
  /// A part of a key that is longer is no prefix, in bytes.
  private static let partBytesMax = 128

  private(set) var nodes: [Node] = [
    Node(parent: -1, nameStart: 0, nameLength: 0, depth: 0)
  ]
  private var names: [UInt8] = []
  /// Nodes by parent and name: open addressing, at most half full; -1 is free.
  private var table = [Int32](repeating: -1, count: 2 * nodesMax)
  /// What ends the parts of a key.
  private let separators: ByteSet

  init(separators: [UInt8]) {
    var set = ByteSet()
    for byte in separators { set.insert(byte) }
    self.separators = set
  }

  /// Makes all that was counted stand for more.
  mutating func scale(_ weight: Double) {
    for index in nodes.indices { nodes[index].tally.scale(weight) }
  }

  /// Counts a key.
  mutating func add(_ key: Span<UInt8>, _ tally: PrefixTally) {
    nodes[0].tally.add(tally)
    var node = 0
    var start = 0
    while nodes[node].depth < Self.depthMax, !nodes[node].isClosed {
      var end = start
      while end < key.count, !separators.contains(key[end]) { end += 1 }
      // What stands behind the last separator is the key's own.
      guard end < key.count, end - start < Self.partBytesMax else { return }
      guard let child = child(of: node, key, start..<(end + 1)) else { return }
      nodes[child].tally.add(tally)
      node = child
      start = end + 1
    }
  }

  private mutating func child(of parent: Int, _ key: Span<UInt8>, _ part: Range<Int>) -> Int? {
    var hash = UInt64(truncatingIfNeeded: parent) &* 0x9e37_79b9_7f4a_7c15
    for index in part { hash = (hash ^ UInt64(key[index])) &* 0x100_0000_01b3 }
    var slot = Int(truncatingIfNeeded: (hash ^ hash >> 32) & UInt64(table.count - 1))
    while table[slot] >= 0 {
      let node = Int(table[slot])
      if nodes[node].parent == Int32(parent), isNamed(node, key, part) { return node }
      slot = (slot + 1) & (table.count - 1)
    }
    let family = nodes[parent]
    if family.children >= Self.childrenMax,
      family.tally.keys / UInt64(family.children) < Self.keysPerChildMin
    {
      nodes[parent].isClosed = true
      nodes[parent].children = 0
      return nil
    }
    // The place of the parent may change: this key's further parts are not counted, once.
    if nodes.count == Self.nodesMax {
      shrink()
      return nil
    }
    nodes[parent].children += 1
    nodes.append(
      Node(
        parent: Int32(parent), nameStart: Int32(names.count), nameLength: Int32(part.count),
        depth: family.depth + 1))
    for index in part { names.append(key[index]) }
    table[slot] = Int32(nodes.count - 1)
    return nodes.count - 1
  }

  private func isNamed(_ node: Int, _ key: Span<UInt8>, _ part: Range<Int>) -> Bool {
    guard Int(nodes[node].nameLength) == part.count else { return false }
    let start = Int(nodes[node].nameStart)
    for index in 0..<part.count where names[start + index] != key[part.lowerBound + index] {
      return false
    }
    return true
  }

  /// Drops what hangs below closed nodes, and of the rest as many of the smallest as it takes to have half
  /// of the nodes.
  private mutating func shrink() {
    var isKept = keptNodes()
    if isKept.count(where: { $0 }) > Self.nodesMax / 2 {
      let sizes = nodes.indices.filter { isKept[$0] }.map { nodes[$0].tally.memory }.sorted()
      let limit = sizes[sizes.count / 2]
      // A child holds no more than its parent, so no kept node loses its parent.
      for index in 1..<nodes.count where nodes[index].tally.memory <= limit {
        isKept[index] = false
      }
      isKept[0] = true
      for index in 1..<nodes.count where !isKept[Int(nodes[index].parent)] { isKept[index] = false }
    }
    rebuild(isKept)
  }

  /// The nodes that hang below no closed one.
  private func keptNodes() -> [Bool] {
    var isKept = [Bool](repeating: true, count: nodes.count)
    for index in 1..<nodes.count {
      let parent = Int(nodes[index].parent)
      isKept[index] = isKept[parent] && !nodes[parent].isClosed
    }
    return isKept
  }

  private mutating func rebuild(_ isKept: [Bool]) {
    var places = [Int32](repeating: -1, count: nodes.count)
    var kept: [Node] = []
    var keptNames: [UInt8] = []
    for index in nodes.indices where isKept[index] {
      var node = nodes[index]
      let start = Int(node.nameStart)
      let name = names[start..<start + Int(node.nameLength)]
      node.nameStart = Int32(keptNames.count)
      keptNames += name
      node.children = 0
      if node.parent >= 0 {
        node.parent = places[Int(node.parent)]
        kept[Int(node.parent)].children += 1
      }
      places[index] = Int32(kept.count)
      kept.append(node)
    }
    (nodes, names) = (kept, keptNames)
    for slot in table.indices { table[slot] = -1 }
    for index in 1..<max(1, nodes.count) {
      var hash = UInt64(truncatingIfNeeded: Int(nodes[index].parent)) &* 0x9e37_79b9_7f4a_7c15
      for byte in part(of: index) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
      var slot = Int(truncatingIfNeeded: (hash ^ hash >> 32) & UInt64(table.count - 1))
      while table[slot] >= 0 { slot = (slot + 1) & (table.count - 1) }
      table[slot] = Int32(index)
    }
  }

  private func part(of node: Int) -> ArraySlice<UInt8> {
    let start = Int(nodes[node].nameStart)
    return names[start..<start + Int(nodes[node].nameLength)]
  }

  // MARK: The result

  /// A prefix with what is below it.
  struct Branch: Sendable {
    var prefix: [UInt8]
    var tally: PrefixTally
    /// The largest first.
    var children: [Branch] = []
  }

  /// The tree with its largest prefixes.
  ///
  /// - Parameter limit: how many prefixes it has at most.
  func branches(limit: Int) -> Branch {
    let isKept = keptNodes()
    let candidates = nodes.indices.dropFirst().filter { isKept[$0] }
      .sorted { (nodes[$0].tally.memory, $1) > (nodes[$1].tally.memory, $0) }
    var shown = [Bool](repeating: false, count: nodes.count)
    for index in candidates.prefix(limit) { shown[index] = true }
    var children: [Int: [Int]] = [:]
    // In the order of size, so each list is, too. A parent holds as much as its child, so it is shown.
    for index in candidates
    where shown[index] && (nodes[index].parent == 0 || shown[Int(nodes[index].parent)]) {
      children[Int(nodes[index].parent), default: []].append(index)
    }
    return branch(0, prefix: [], children)
  }

  private func branch(_ node: Int, prefix: [UInt8], _ children: [Int: [Int]]) -> Branch {
    let prefix = prefix + part(of: node)
    return Branch(
      prefix: prefix, tally: nodes[node].tally,
      children: (children[node] ?? []).map { branch($0, prefix: prefix, children) })
  }
}
