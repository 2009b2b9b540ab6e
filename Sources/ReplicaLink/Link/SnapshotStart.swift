// What a source says of the snapshot that it is about to send.

/// The identity and place of a full resynchronisation, and how its snapshot is framed.
public struct SnapshotStart: Sendable, Equatable {
  /// How the end of the snapshot is known.
  public enum Framing: Sendable, Equatable {
    /// So many bytes, then the stream.
    case length(UInt64)
    /// The snapshot, then these 40 bytes; nothing more until the first acknowledgement. The mark may
    /// also occur inside the data.
    case mark([UInt8])
  }

  /// The source's replication id; empty for a source too old to have one.
  public var replicationID: String
  /// The offset of the last byte before the first of the stream.
  public var offset: UInt64
  /// How the snapshot is framed.
  public var framing: Framing
}

extension SnapshotStart {
  /// Offsets and lengths are signed at the servers, so their greatest value is that of Int64.
  static func number(_ digits: Substring) -> UInt64? {
    guard digits.utf8.allSatisfy({ 48...57 ~= $0 }), let value = Int64(digits) else { return nil }
    return UInt64(value)
  }

  static func isReplicationID(_ text: Substring) -> Bool {
    text.utf8.count == 40 && text.utf8.allSatisfy { Character(UnicodeScalar($0)).isHexDigit }
  }
}

extension SnapshotStart.Framing {
  var isMarked: Bool {
    if case .mark = self { true } else { false }
  }

  /// The framing that a source's line announces; nil when it announces none.
  init?(_ line: String) {
    if line.hasPrefix("$EOF:") && line.utf8.count == 45 {
      self = .mark(Array(line.utf8.dropFirst(5)))
    } else if line.hasPrefix("$"), let length = SnapshotStart.number(line.dropFirst()) {
      self = .length(length)
    } else {
      return nil
    }
  }
}
