// The encoder's buffer against the standard library's own idea of numbers and bytes.

import Testing

@testable import ReplicaLink

struct ByteBufferTests {
  private static let numbers: [Int64] = {
    var numbers: [Int64] = [0, .min, .max, .min + 1, .max - 1]
    var power: Int64 = 1
    for _ in 0..<19 {
      numbers += [power, power - 1, power + 1, -power, -power - 1, -power + 1]
      let (next, overflow) = power.multipliedReportingOverflow(by: 10)
      if overflow { break }
      power = next
    }
    return numbers
  }()

  @Test func decimalsAreThoseOfTheStandardLibrary() {
    var random = SeededRandom("decimals")
    let more = (0..<2_000).map { _ in
      Int64.random(in: .min ... .max, using: &random) >> Int64(random.below(64))
    }
    for number in Self.numbers + more {
      var buffer = ByteBuffer()
      buffer.append(decimal: number)
      #expect(buffer.text == "\(number)")
    }
  }

  @Test func aDecimalArgumentAnnouncesItsLength() {
    for number in Self.numbers {
      var buffer = ByteBuffer()
      buffer.appendBulk(decimal: number)
      #expect(buffer.text == "$\("\(number)".utf8.count)\r\n\(number)\r\n")
    }
  }

  @Test func decimalsFitAtEveryFillLevelOfASmallBuffer() {
    for filled in 0..<130 {
      var buffer = ByteBuffer(capacity: 64)
      for _ in 0..<filled { buffer.append(byte: 120) }
      buffer.append(decimal: .min)
      #expect(buffer.text == String(repeating: "x", count: filled) + "\(Int64.min)")
    }
  }

  @Test func commandsAreArraysOfBulkStrings() {
    var buffer = ByteBuffer()
    buffer.appendCommand("SET", "", "ä")
    buffer.appendCommand([[0, 13, 10]])
    #expect(
      buffer.bytes == Array("*3\r\n$3\r\nSET\r\n$0\r\n\r\n$2\r\nä\r\n*1\r\n$3\r\n\0\r\n\r\n".utf8))
  }

  @Test func takesFromTheFrontWhatWasPutAtTheEnd() {
    var random = SeededRandom("byte buffer")
    var buffer = ByteBuffer(capacity: 1)
    var model: [UInt8] = []
    for _ in 0..<3_000 {
      if random.chance(3) {
        let count = random.below(model.count + 1)
        buffer.removeFirst(count)
        model.removeFirst(count)
      } else {
        let bytes = random.bytes(random.below(200))
        bytes.withUnsafeBytes { buffer.append($0) }
        model += bytes
      }
      #expect(buffer.bytes == model)
    }
  }

  @Test func fillLendsAtLeastWhatWasAsked() {
    var buffer = ByteBuffer(capacity: 64)
    buffer.append("abc")
    let filled = buffer.fill(minimum: 1000) { room in
      #expect(room.count >= 1000)
      room[0] = 100
      return 1
    }
    #expect(filled == 1)
    #expect(buffer.text == "abcd")
  }
}

extension ByteBuffer {
  var bytes: [UInt8] { withBytes { Array($0) } }
  var text: String { String(decoding: bytes, as: UTF8.self) }
}
