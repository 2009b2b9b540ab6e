// Module names packed into 64 bits. Source: rdb-format.md §4, Module opcodes.

/// The 64-bit id a module's data carries: nine characters of name and a version.
public struct RDBModuleID: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  /// The number in the file.
  public let rawValue: UInt64
  /// Wraps a number.
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  private static let alphabet = [UInt8](
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

  /// The nine characters, such as `ReJSON-RL`.
  public var name: String {
    var text = ""
    for index in 0..<9 {
      let letter = rawValue >> UInt64(58 - 6 * index) & 63
      text += String(UnicodeScalar(Self.alphabet[Int(letter)]))
    }
    return text
  }

  /// The version of the module's encoding, 0 to 1023.
  public var encodingVersion: Int { Int(rawValue & 1023) }

  /// Name and version.
  public var description: String { "\(name) v\(encodingVersion)" }
}
