// PrefixTrie: which of many prefixes a key begins with, found by reading each byte of the key at most
// once, however many prefixes there are.
//
//   bump:a  bump:b  jobs:          root ─┬─ "ump:" ─┬─ "" bump:a
//                                        b          a
//                                        │          └─ b "" bump:b
//                                        └─ j "obs:" jobs:
//
// A node stands for the bytes that all prefixes below it share (its label); a set of 256 bits says
// which bytes lead on, and the children lie side by side in the order of their bytes, so the place of
// a child is the number of smaller bits.

/// Prefixes to look keys up in. Built once.
struct PrefixTrie: Sendable {
  /// The prefixes, as they were given.
  let prefixes: [[UInt8]]

  private struct Node {
    /// The label: a range of `labels`.
    var labelStart: Int32
    var labelEnd: Int32
    /// The prefix that ends here, by its place in `prefixes`; -1 for none.
    var prefix: Int32
    var firstChild: Int32 = 0
    var children = ByteSet()
  }

  private var nodes: ContiguousArray<Node> = []
  private var labels: ContiguousArray<UInt8> = []

  /// Builds a trie. Of equal prefixes the first counts. Cost: sorting, then linear in all bytes.
  init(_ prefixes: [[UInt8]] = []) {
    self.prefixes = prefixes
    let order = prefixes.indices.sorted {
      prefixes[$0] == prefixes[$1]
        ? $0 < $1 : prefixes[$0].lexicographicallyPrecedes(prefixes[$1])
    }
    if order.isEmpty { return }
    nodes.append(Node(labelStart: 0, labelEnd: 0, prefix: -1))
    // Node by node, so that a chain of any depth needs no stack, and siblings are neighbours.
    var pending = [(node: 0, range: order[...], depth: 0)]
    var next = 0
    while next < pending.count {
      let (node, range, depth) = pending[next]
      next += 1
      pending += build(node, range, depth)
    }
  }

  /// Fills one node in and adds its children, to be filled in later.
  private mutating func build(
    _ node: Int, _ range: ArraySlice<Int>, _ depth: Int
  ) -> [(node: Int, range: ArraySlice<Int>, depth: Int)] {
    let first = prefixes[range[range.startIndex]]
    let last = prefixes[range[range.endIndex - 1]]
    var end = depth
    while end < first.count, end < last.count, first[end] == last[end] { end += 1 }
    nodes[node].labelStart = Int32(labels.count)
    labels += first[depth..<end]
    nodes[node].labelEnd = Int32(labels.count)
    var rest = range
    if first.count == end {
      nodes[node].prefix = Int32(range[range.startIndex])
      rest = rest.drop { prefixes[$0].count == end }
    }
    nodes[node].firstChild = Int32(nodes.count)
    var children: [(node: Int, range: ArraySlice<Int>, depth: Int)] = []
    while let head = rest.first {
      let byte = prefixes[head][end]
      let group = rest.prefix { prefixes[$0][end] == byte }
      nodes[node].children.insert(byte)
      children.append((nodes.count, group, end + 1))
      nodes.append(Node(labelStart: 0, labelEnd: 0, prefix: -1))
      rest = rest.dropFirst(group.count)
    }
    return children
  }

  var isEmpty: Bool { prefixes.isEmpty }

  /// Whether the key begins with any of the prefixes. Allocates nothing.
  func containsPrefix(of key: Span<UInt8>) -> Bool {
    var bytesRead = 0
    return walk(key, toFirst: true, &bytesRead) != nil
  }

  /// The longest of the prefixes that the key begins with, by its place in `prefixes`. Allocates
  /// nothing.
  func longestPrefix(of key: Span<UInt8>) -> Int? {
    var bytesRead = 0
    return walk(key, toFirst: false, &bytesRead)
  }

  /// Whether any of the prefixes begins with these bytes, or is just them.
  func containsPrefix(startingWith beginning: Span<UInt8>) -> Bool {
    guard var node = nodes.first else { return false }
    var index = 0
    while true {
      for position in node.labelStart..<node.labelEnd {
        if index == beginning.count { return true }
        if labels[Int(position)] != beginning[index] { return false }
        index += 1
      }
      if index == beginning.count { return true }
      guard let rank = node.children.rank(of: beginning[index]) else { return false }
      node = nodes[Int(node.firstChild) + rank]
      index += 1
    }
  }

  /// How many of the key's bytes are read to find the longest prefix: the cost of a question, for
  /// the tests.
  func bytesRead(of key: Span<UInt8>) -> Int {
    var bytesRead = 0
    _ = walk(key, toFirst: false, &bytesRead)
    return bytesRead
  }

  @inline(__always)
  private func walk(_ key: Span<UInt8>, toFirst: Bool, _ bytesRead: inout Int) -> Int? {
    if nodes.isEmpty { return nil }
    var best: Int?
    var node = 0
    while true {
      let current = nodes[node]
      for position in current.labelStart..<current.labelEnd {
        guard bytesRead < key.count else { return best }
        bytesRead += 1
        if labels[Int(position)] != key[bytesRead - 1] { return best }
      }
      if current.prefix >= 0 {
        best = Int(current.prefix)
        if toFirst { return best }
      }
      guard bytesRead < key.count else { return best }
      bytesRead += 1
      guard let rank = current.children.rank(of: key[bytesRead - 1]) else { return best }
      node = Int(current.firstChild) + rank
    }
  }
}
