// What reading can report: one struct for every kind of damage, with the place and what was there.

/// Why an RDB file, a DUMP payload or one of its values could not be read.
public struct RDBError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The kind of damage. More kinds may be added; compare against the named ones.
  public struct Code: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// The number behind the name, stable within one version of the library.
    public var rawValue: UInt8
    /// Wraps a number.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The input ended before the file did.
    public static let truncated = Code(rawValue: 1)
    /// The input does not begin with `REDIS` or `VALKEY` and digits.
    public static let notAnRDBFile = Code(rawValue: 2)
    /// The header's version is outside what its magic allows.
    public static let unsupportedVersion = Code(rawValue: 3)
    /// The checksum behind the last byte is not that of the bytes read.
    public static let checksumMismatch = Code(rawValue: 4)
    /// A value type no known server writes.
    public static let unknownType = Code(rawValue: 5)
    /// A known value type whose end cannot be found without the module or templates it refers to.
    public static let unsupportedType = Code(rawValue: 6)
    /// An opcode whose payload has no known layout.
    public static let unsupportedOpcode = Code(rawValue: 7)
    /// A length whose first byte is not defined, or an encoding number where a length must be.
    public static let malformedLength = Code(rawValue: 8)
    /// A string with an encoding number that is not defined.
    public static let malformedString = Code(rawValue: 9)
    /// LZF data that is damaged or cannot have the size it declares.
    public static let malformedCompression = Code(rawValue: 10)
    /// Module data with an opcode that is not defined.
    public static let malformedModuleData = Code(rawValue: 11)
    /// A packed value (ziplist, listpack, intset, zipmap, stream node) whose insides are damaged.
    public static let malformedValue = Code(rawValue: 12)
    /// A score or float that is not a number in the form its type demands.
    public static let malformedNumber = Code(rawValue: 13)
    /// Something is larger than the limit set for it in `RDBReaderOptions`.
    public static let limitExceeded = Code(rawValue: 14)
    /// A DUMP payload whose footer is missing, of a newer version, or has a zero checksum.
    public static let malformedPayload = Code(rawValue: 15)

    /// The code's meaning in words, as error lines use it.
    public var description: String {
      switch self {
      case .truncated: "the input ends too early"
      case .notAnRDBFile: "this is not an RDB file"
      case .unsupportedVersion: "unsupported RDB version"
      case .checksumMismatch: "the checksum is wrong"
      case .unknownType: "unknown value type"
      case .unsupportedType: "value type that cannot be read"
      case .unsupportedOpcode: "opcode that cannot be read"
      case .malformedLength: "malformed length"
      case .malformedString: "malformed string"
      case .malformedCompression: "malformed LZF data"
      case .malformedModuleData: "malformed module data"
      case .malformedValue: "malformed value"
      case .malformedNumber: "malformed number"
      case .limitExceeded: "a limit is exceeded"
      case .malformedPayload: "malformed DUMP payload"
      default: "error \(rawValue)"
      }
    }
  }

  /// What kind of damage it is.
  public var code: Code
  /// Absolute offset of the offending byte, counted from the first byte of the magic (for a DUMP
  /// payload or a single value: from its first byte).
  public var offset: UInt64
  /// The key being read, made printable and shortened; nil outside an entry.
  public var key: String?
  /// The value type being read; nil outside an entry.
  public var type: RDBType?
  /// The opcode being read; nil outside an opcode's payload.
  public var opcode: UInt8?
  /// What was found, in a few words; may be empty.
  public var detail: String

  /// Makes an error; the context may be added to it later.
  public init(
    _ code: Code, offset: UInt64, key: String? = nil, type: RDBType? = nil, opcode: UInt8? = nil,
    detail: String = ""
  ) {
    self.code = code
    self.offset = offset
    self.key = key
    self.type = type
    self.opcode = opcode
    self.detail = detail
  }

  /// One line that says what is wrong, where, and in which key.
  public var description: String {
    var line = "RDB offset \(offset): \(code)"
    if !detail.isEmpty { line += ": \(detail)" }
    var context: [String] = []
    if let key { context.append("key \(key)") }
    if let type { context.append("type \(type)") }
    if let opcode { context.append("opcode \(opcode)") }
    if !context.isEmpty { line += " (\(context.joined(separator: ", ")))" }
    return line
  }

  /// How much of a key an error shows.
  static let keyLengthShown = 64

  /// Key bytes as a quoted, printable, shortened text: what is not plain ASCII appears as `\xNN`.
  static func printable(_ bytes: Span<UInt8>) -> String {
    var text = "\""
    for index in 0..<min(bytes.count, keyLengthShown) {
      let byte = bytes[index]
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        text += "\\" + String(UnicodeScalar(byte))
      case 0x20..<0x7f:
        text += String(UnicodeScalar(byte))
      default:
        let digits = String(byte, radix: 16)
        text += digits.count == 1 ? "\\x0\(digits)" : "\\x\(digits)"
      }
    }
    return bytes.count > keyLengthShown ? text + "\"... (\(bytes.count) bytes)" : text + "\""
  }
}
