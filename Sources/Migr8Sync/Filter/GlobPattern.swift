// GlobPattern: a Redis glob, compiled once and matched against many keys.
//
// It must agree with the servers byte for byte, because a destination is checked with SCAN MATCH
// and the stream with this. So the oddities of the servers' matcher are kept: a class that is
// never closed ends with the pattern; `[z-a]` is `[a-z]`; `]` may be the end of a range; range
// bounds compare as signed chars (x86); no pattern but `*` and the empty one matches the empty
// key.

/// A compiled pattern: `*`, `?`, `[abc]`, `[a-z]`, `[^a]` and `\x`.
struct GlobPattern: Sendable {
  /// The pattern as the operator wrote it.
  let source: [UInt8]

  /// One token consumes one byte of a key, except `star`: 0...255 is that byte, from `firstSet`
  /// on an index into `sets`.
  private typealias Token = Int32
  private static let anyByte: Token = 256
  private static let star: Token = 257
  private static let firstSet: Token = 258

  private var tokens: [Token] = []
  private var sets: [ByteSet] = []

  /// Compiles a pattern. Every byte sequence is one. Cost: linear.
  init(_ source: [UInt8]) {
    self.source = source
    var position = 0
    while position < source.count {
      let byte = source[position]
      position += 1
      switch byte {
      case UInt8(ascii: "*"):
        if tokens.last != Self.star { tokens.append(Self.star) }
      case UInt8(ascii: "?"):
        tokens.append(Self.anyByte)
      case UInt8(ascii: "["):
        tokens.append(Self.firstSet + Token(sets.count))
        sets.append(Self.parseSet(source, &position))
      case UInt8(ascii: "\\") where position < source.count:
        tokens.append(Token(source[position]))
        position += 1
      default:
        tokens.append(Token(byte))
      }
    }
  }

  /// Whether the pattern is a bare `*`.
  var matchesEveryKey: Bool { source == [UInt8(ascii: "*")] }

  /// The bytes that every matching key begins with.
  var literalStart: [UInt8] {
    tokens.prefix { $0 < Self.anyByte }.map { UInt8(truncatingIfNeeded: $0) }
  }

  /// Whether the whole key matches. Allocates nothing; at most key length times pattern length
  /// steps, since only the last star is ever widened.
  func matches(_ key: Span<UInt8>) -> Bool {
    if key.isEmpty { return source.isEmpty || matchesEveryKey }
    var token = 0
    var index = 0
    var afterStar: Int?
    var starIndex = 0
    while index < key.count {
      if token < tokens.count {
        if tokens[token] == Self.star {
          token += 1
          afterStar = token
          starIndex = index
          continue
        }
        if consumes(tokens[token], key[index]) {
          token += 1
          index += 1
          continue
        }
      }
      guard let afterStar else { return false }
      starIndex += 1
      index = starIndex
      token = afterStar
    }
    while token < tokens.count, tokens[token] == Self.star { token += 1 }
    return token == tokens.count
  }

  /// The bytes with a backslash before each that a glob would not take literally.
  static func escaped(_ bytes: [UInt8]) -> [UInt8] {
    var escaped: [UInt8] = []
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "["), UInt8(ascii: "\\"):
        escaped.append(UInt8(ascii: "\\"))
      default: break
      }
      escaped.append(byte)
    }
    return escaped
  }

  private func consumes(_ token: Token, _ byte: UInt8) -> Bool {
    if token < Self.anyByte { return token == Token(byte) }
    if token == Self.anyByte { return true }
    return sets[Int(token - Self.firstSet)].contains(byte)
  }

  /// Parses a class from behind its `[` to behind its `]`.
  private static func parseSet(_ source: [UInt8], _ position: inout Int) -> ByteSet {
    var set = ByteSet()
    var isNegated = false
    if position < source.count, source[position] == UInt8(ascii: "^") {
      isNegated = true
      position += 1
    }
    while position < source.count {
      let byte = source[position]
      let left = source.count - position
      if byte == UInt8(ascii: "\\"), left >= 2 {
        set.insert(source[position + 1])
        position += 2
      } else if byte == UInt8(ascii: "]") {
        position += 1
        break
      } else if left >= 3, source[position + 1] == UInt8(ascii: "-") {
        let (one, other) = (Int8(bitPattern: byte), Int8(bitPattern: source[position + 2]))
        for value in min(one, other)...max(one, other) { set.insert(UInt8(bitPattern: value)) }
        position += 3
      } else {
        set.insert(byte)
        position += 1
      }
    }
    if isNegated { set.invert() }
    return set
  }
}
