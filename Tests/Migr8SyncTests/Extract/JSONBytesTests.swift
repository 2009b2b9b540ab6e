// JSON of bytes: against Foundation's decoder, for every byte at every place, and for random ones.

import Foundation
import ReplicaLink
import Testing

@testable import Migr8Sync

@Suite("Bytes as JSON")
struct JSONBytesTests {
  private func json(_ bytes: [UInt8]) -> [UInt8] {
    var buffer = ByteBuffer()
    buffer.append(json: bytes.span)
    return buffer.withBytes { Array($0) }
  }

  private func expectRoundTrip(_ bytes: [UInt8]) throws {
    let text = json(bytes)
    let value = try JSONSerialization.jsonObject(with: Data(text), options: .fragmentsAllowed)
    if let valid = String(validating: bytes, as: UTF8.self) {
      #expect((value as? String).map { Array($0.utf8) } == Array(valid.utf8), "\(bytes)")
    } else {
      let base64 = try #require((value as? [String: String])?["base64"], "\(bytes)")
      #expect(base64 == Data(bytes).base64EncodedString())
    }
  }

  @Test func everyByteAtEveryPlace() throws {
    for byte in UInt8.min...UInt8.max {
      for place in 0..<18 {
        var bytes = Array("plain ASCII text, ok".utf8)
        bytes[place] = byte
        try expectRoundTrip(bytes)
      }
    }
    for count in 0..<12 { try expectRoundTrip([UInt8](repeating: 200, count: count)) }
  }

  @Test func utf8IsWhatTheStandardLibrarySaysItIs() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("the seed of the bytes: \(seed)")
    var random = SeededGenerator(seed: seed)
    let pieces: [[UInt8]] = [
      Array("a".utf8), Array("é".utf8), Array("鍵".utf8), Array("😀".utf8), [0xC0, 0x80],
      [0xED, 0xA0, 0x80],
      [0xF4, 0x90, 0x80, 0x80], [0xE0, 0x80, 0x80], [0xF0, 0x80, 0x80, 0x80], [0x80], [0xFF],
      [0xE2, 0x82],
    ]
    for _ in 0..<3000 {
      var bytes: [UInt8] = []
      for _ in 0..<Int.random(in: 0..<6, using: &random) {
        bytes += pieces[Int.random(in: 0..<pieces.count, using: &random)]
      }
      let isValid = bytes.withUnsafeBytes { JSONBytes.isUTF8($0, from: 0) }
      #expect(isValid == (String(validating: bytes, as: UTF8.self) != nil), "\(bytes)")
      try expectRoundTrip(bytes)
    }
  }

  @Test(arguments: [
    "0", "-0.0", "1", "-17", "0.1", "1e300", "5e-324", "12345678901234567", "1e15", "-2.5",
  ])
  func scoresReadBackAsTheyAre(text: String) throws {
    let score = try #require(Double(text))
    var buffer = ByteBuffer()
    buffer.append(score: score)
    let written = buffer.withBytes { String(decoding: $0, as: UTF8.self) }
    #expect(Double(written)?.bitPattern == score.bitPattern, "\(written)")
  }
}
