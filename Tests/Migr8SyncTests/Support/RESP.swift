// RESP for tests: commands as bytes, and the commands a recorded stream holds. Written apart from
// the program's own decoder, so that the two can be held against each other.

enum RESP {
  static func encode(_ arguments: [[UInt8]]) -> [UInt8] {
    var bytes = Array("*\(arguments.count)\r\n".utf8)
    for argument in arguments {
      bytes += Array("$\(argument.count)\r\n".utf8) + argument + [13, 10]
    }
    return bytes
  }

  static func encode(_ arguments: String...) -> [UInt8] {
    encode(arguments.map { Array($0.utf8) })
  }

  /// One command in a buffer: where it lies and where its arguments lie.
  struct Command {
    var range: Range<Int>
    var arguments: [Range<Int>]
  }

  /// The command at `start`, or `nil` when it is not whole.
  static func decode(_ bytes: [UInt8], at start: Int) -> Command? {
    var position = start
    while position < bytes.count, bytes[position] == 10 { position += 1 }
    guard let count = number(bytes, &position, after: UInt8(ascii: "*")) else { return nil }
    var arguments: [Range<Int>] = []
    for _ in 0..<count {
      guard let length = number(bytes, &position, after: UInt8(ascii: "$")),
        position + length + 2 <= bytes.count
      else { return nil }
      arguments.append(position..<position + length)
      position += length + 2
    }
    return Command(range: start..<position, arguments: arguments)
  }

  private static func number(_ bytes: [UInt8], _ position: inout Int, after mark: UInt8) -> Int? {
    guard position < bytes.count, bytes[position] == mark,
      let end = bytes[position...].firstIndex(of: 13)
    else { return nil }
    defer { position = end + 2 }
    return Int(String(decoding: bytes[(position + 1)..<end], as: UTF8.self))
  }
}

/// A small generator with a seed, so that a random test can be run again.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
