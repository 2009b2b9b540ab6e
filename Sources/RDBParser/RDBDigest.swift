// 128-bit digests of bytes and numbers, by which values are compared without being kept.
//
// Two lanes of 64 bits; each takes words of eight bytes by steps that lose nothing (xor, an odd multiple,
// a shifted xor), so values that differ in one word never meet, and others meet by chance alone. Not made
// against somebody who looks for two values with one digest.

/// A digest of 128 bits, the same in every process and on every machine.
public struct RDBDigest: Hashable, Sendable, CustomStringConvertible {
  /// One half.
  public private(set) var low: UInt64
  /// The other half.
  public private(set) var high: UInt64

  /// The digest of nothing.
  public static let zero = RDBDigest(low: 0, high: 0)

  /// Makes a digest again from its halves.
  public init(low: UInt64, high: UInt64) {
    self.low = low
    self.high = high
  }

  /// The digest of some bytes. Cost: below a nanosecond per byte.
  public init(of bytes: Span<UInt8>) {
    var hasher = RDBDigestHasher(domain: 0)
    hasher.append(bytes)
    hasher.endText()
    self = hasher.finish()
  }

  /// Adds the digest of another element: the same sum in whatever order elements come.
  public mutating func add(_ other: RDBDigest) {
    low &+= other.low
    high &+= other.high
  }

  /// 32 hexadecimal digits.
  public var description: String {
    [high, low].map { half in
      let digits = String(half, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }
}

/// Takes texts, in any portions, and numbers, in order.
struct RDBDigestHasher: Sendable {
  private var one: UInt64
  private var other: UInt64
  /// Bytes that do not fill a word yet, the first one lowest.
  private var tail: UInt64 = 0
  private var tailCount: UInt64 = 0
  private var length: UInt64 = 0

  /// - Parameter domain: what is digested: digests of different domains do not meet.
  init(domain: UInt64) {
    one = 0x243f_6a88_85a3_08d3
    other = 0x1319_8a2e_0370_7344
    append(domain)
  }

  /// Continues a text.
  mutating func append(_ bytes: Span<UInt8>) {
    bytes.withUnsafeBytes { buffer in
      var position = 0
      while tailCount != 0 && position < buffer.count {
        append(byte: buffer[position])
        position += 1
      }
      while position + 8 <= buffer.count {
        let word = buffer.loadUnaligned(fromByteOffset: position, as: UInt64.self)
        mix(UInt64(littleEndian: word))
        position += 8
      }
      while position < buffer.count {
        append(byte: buffer[position])
        position += 1
      }
    }
    length &+= UInt64(bytes.count)
  }

  /// Ends a text: what follows belongs to another one.
  mutating func endText() {
    if tailCount > 0 { mix(tail) }
    mix(length)
    tail = 0
    tailCount = 0
    length = 0
  }

  /// Takes a number. Not within a text.
  mutating func append(_ number: UInt64) {
    mix(number)
  }

  /// Takes another digest. Not within a text.
  mutating func append(_ digest: RDBDigest) {
    mix(digest.low)
    mix(digest.high)
  }

  /// The digest of everything taken.
  func finish() -> RDBDigest {
    RDBDigest(low: Self.scramble(one &+ other), high: Self.scramble(other ^ one &* 3))
  }

  private mutating func append(byte: UInt8) {
    tail |= UInt64(byte) << (tailCount * 8)
    tailCount += 1
    guard tailCount == 8 else { return }
    mix(tail)
    tail = 0
    tailCount = 0
  }

  @inline(__always)
  private mutating func mix(_ word: UInt64) {
    one = (one ^ word) &* 0x9e37_79b9_7f4a_7c15
    one ^= one >> 32
    other = (other &+ word) &* 0xc2b2_ae3d_27d4_eb4f
    other ^= other >> 29
  }

  private static func scramble(_ value: UInt64) -> UInt64 {
    var mixed = (value ^ (value >> 33)) &* 0xff51_afd7_ed55_8ccd
    mixed = (mixed ^ (mixed >> 33)) &* 0xc4ce_b9fe_1a85_ec53
    return mixed ^ (mixed >> 33)
  }
}
