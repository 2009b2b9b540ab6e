// Which types of value a destination can RESTORE, by its version. Source: rdb-format.md §8.

import RDBParser

/// The value types that a destination knows.
struct RestorableTypes: Sendable {
  private let version: ServerVersion?
  private let isValkey: Bool

  /// - Parameter destination: nil when it did not say: it is then taken to know everything, and
  ///   refuses by itself what it does not.
  init(_ destination: ServerFacts?) {
    version = destination?.version
    isValkey = destination?.isValkey ?? false
  }

  /// Whether a RESTORE of this type can succeed.
  func contains(_ type: RDBType) -> Bool {
    guard let version else { return true }
    // A module's value has no other form; whether the module is there only RESTORE can tell.
    if type == .module { return true }
    guard let format = DumpPayload.footerVersion(for: type) else { return false }
    if type.family == .valkey { return false }
    switch format {
    case ...6: return true
    case 7: return version >= ServerVersion(3, 2)
    case 8: return version >= ServerVersion(4)
    case 9: return version >= ServerVersion(5)
    case 10: return version >= ServerVersion(7)
    case 11: return version >= ServerVersion(7, 2)
    case 12: return version >= ServerVersion(7, 4) && !isValkey
    case 13: return version >= ServerVersion(8, 6) && !isValkey
    default: return version >= ServerVersion(8, 8) && !isValkey
    }
  }
}

extension ServerFacts {
  /// What the server can be told in plain commands.
  var commandFeatures: RDBCommandFeatures {
    if let valkey = valkeyVersion { return .valkey(major: valkey.major, minor: valkey.minor) }
    return .redis(major: version.major, minor: version.minor)
  }
}
