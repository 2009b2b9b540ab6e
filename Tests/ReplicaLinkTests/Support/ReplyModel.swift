// Random replies with the answers beside them, made without any of the library's readers.

@testable import ReplicaLink

/// A reply as a server might send it.
indirect enum ReplyModel {
  case status(String)
  case error(String)
  case integer(Int64)
  case bulk([UInt8])
  case nullBulk
  case nullList
  case list([ReplyModel])

  var wire: [UInt8] {
    switch self {
    case .status(let text): Array("+\(text)\r\n".utf8)
    case .error(let text): Array("-\(text)\r\n".utf8)
    case .integer(let value): Array(":\(value)\r\n".utf8)
    case .bulk(let bytes): Array("$\(bytes.count)\r\n".utf8) + bytes + [13, 10]
    case .nullBulk: Array("$-1\r\n".utf8)
    case .nullList: Array("*-1\r\n".utf8)
    case .list(let elements): Array("*\(elements.count)\r\n".utf8) + elements.flatMap(\.wire)
    }
  }

  /// The reply held whole.
  var value: RESPValue {
    switch self {
    case .status(let text): .simple(text)
    case .error(let text): .error(text)
    case .integer(let value): .integer(value)
    case .bulk(let bytes): .bulk(bytes)
    case .nullBulk, .nullList: .null
    case .list(let elements): .array(elements.map(\.value))
    }
  }

  /// What a scanner should make of it.
  var outcome: ScannedReply {
    switch self {
    case .status, .bulk: return .success
    case .error(let text): return .error(text)
    case .integer(let value): return .integer(value)
    case .nullBulk, .nullList: return .null
    case .list(let elements):
      for (index, element) in elements.enumerated() {
        if let line = element.firstError { return .errorInArray(index: index, line: line) }
      }
      return .success
    }
  }

  private var firstError: String? {
    switch self {
    case .error(let text): text
    case .list(let elements): elements.lazy.compactMap(\.firstError).first
    default: nil
    }
  }

  static func random(_ random: inout SeededRandom, depth: Int = 0) -> ReplyModel {
    let words = ["OK", "QUEUED", "", "ERR no such key", "WRONGTYPE Operation $5 *3", "ä"]
    switch random.below(depth > 4 ? 6 : 8) {
    case 0: return .status(words[random.below(words.count)])
    case 1: return .error(words[random.below(words.count)])
    case 2: return .integer(Int64.random(in: .min ... .max, using: &random) >> 40)
    case 3: return .bulk(random.bytes(random.below(60)))
    case 4: return .bulk(random.spiteful(random.below(20)))
    case 5: return random.chance(2) ? .nullBulk : .nullList
    default:
      return .list((0..<random.below(5)).map { _ in Self.random(&random, depth: depth + 1) })
    }
  }
}
