// The scanner of pipelined replies against replies made by hand and by a model.

import Testing

@testable import ReplicaLink

struct ReplyScannerTests {
  /// What scanning came to.
  struct Scan: Equatable {
    var replies: [ScannedReply] = []
    var failure: LinkError?
    var isBetweenReplies = false
  }

  /// Scans as a pipeline does: what was taken is not shown again.
  static func scan(_ pieces: [ArraySlice<UInt8>]) -> Scan {
    var scanner = ReplyScanner()
    var scan = Scan()
    var window: [UInt8] = []
    do {
      for piece in pieces {
        window += piece
        var position = 0
        try window.withUnsafeBytes { bytes in
          while let reply = try scanner.next(bytes, &position) { scan.replies.append(reply) }
        }
        window.removeFirst(position)
      }
    } catch let error as LinkError {
      scan.failure = error
    } catch {}
    scan.isBetweenReplies = scanner.isBetweenReplies && window.isEmpty
    return scan
  }

  struct Case: Sendable, CustomTestStringConvertible {
    var wire: String
    var reply: ScannedReply
    var testDescription: String { wire.debugDescription }
  }

  @Test(arguments: [
    Case(wire: "+OK\r\n", reply: .success),
    Case(wire: "+\r\n", reply: .success),
    Case(wire: ":0\r\n", reply: .integer(0)),
    Case(wire: ":-9223372036854775808\r\n", reply: .integer(.min)),
    Case(wire: ":9223372036854775807\r\n", reply: .integer(.max)),
    Case(wire: "$0\r\n\r\n", reply: .success),
    Case(wire: "$5\r\n-ERR \r\n", reply: .success),
    Case(wire: "$-1\r\n", reply: .null),
    Case(wire: "*-1\r\n", reply: .null),
    Case(wire: "*0\r\n", reply: .success),
    Case(wire: "-BUSYKEY Target\r\n", reply: .error("BUSYKEY Target")),
    Case(wire: "*3\r\n+OK\r\n$-1\r\n:1\r\n", reply: .success),
    Case(
      wire: "*4\r\n+OK\r\n:7\r\n-WRONGTYPE a\r\n-ERR b\r\n",
      reply: .errorInArray(index: 2, line: "WRONGTYPE a")),
    Case(
      wire: "*3\r\n*2\r\n*0\r\n*1\r\n+a\r\n*-1\r\n-ERR x\r\n",
      reply: .errorInArray(index: 2, line: "ERR x")),
    Case(
      wire: "*2\r\n+OK\r\n*2\r\n*1\r\n:1\r\n*2\r\n:2\r\n-ERR deep\r\n",
      reply: .errorInArray(index: 1, line: "ERR deep")),
  ])
  func saysWhatAReplyCameTo(_ item: Case) {
    let bytes = Array(item.wire.utf8)
    let expected = Scan(replies: [item.reply, .integer(42)], isBetweenReplies: true)
    let followed = bytes + Array(":42\r\n".utf8)
    #expect(Self.scan([followed[...]]) == expected)
    #expect(Self.scan(followed.bytewise) == expected)
    for cut in 0...followed.count {
      #expect(Self.scan(followed.pieces(cutAt: [cut])) == expected, "cut at \(cut)")
    }
    for end in 1..<bytes.count {
      let part = Self.scan([bytes[..<end]])
      #expect(part == Scan(), "\(end) bytes are no reply")
    }
  }

  @Test(arguments: [
    "\r\n", "HTTP/1.1 400 Bad Request\r\n", "+OK\n", ":\r\n", ":1x\r\n", ":9223372036854775808\r\n",
    "$\r\n", "$9999999999999999999\r\n", "$9223372036854775807\r\n", "*x\r\n",
    "*9223372036854775807\r\n", "*1\r\nx\r\n", "%1\r\n", "_\r\n",
  ])
  func refusesWhatIsNoReply(_ wire: String) {
    let bytes = Array(wire.utf8)
    #expect(Self.scan([bytes[...]]).failure?.code == .protocolViolation)
    #expect(Self.scan(bytes.bytewise).failure?.code == .protocolViolation)
  }

  @Test func refusesALineThatDoesNotEnd() {
    let bytes = [UInt8](repeating: 43, count: ReplyScanner.lineBytesMax)
    #expect(Self.scan([bytes[...]]).failure?.code == .protocolViolation)
    #expect(Self.scan([bytes.dropLast()]) == Scan())
  }

  @Test func longStringsAreSkippedWithoutBeingHeld() throws {
    let length = 600 << 20
    let piece = [UInt8](repeating: 43, count: 1 << 16)
    let head = Array("*2\r\n$\(length)\r\n".utf8)
    let tail = Array("\r\n-ERR x\r\n".utf8)
    var scanner = ReplyScanner()
    var replies: [ScannedReply] = []
    for index in 0..<length / piece.count + 2 {
      let bytes = index == 0 ? head : index <= length / piece.count ? piece : tail
      var position = 0
      try bytes.withUnsafeBytes { bytes in
        while let reply = try scanner.next(bytes, &position) { replies.append(reply) }
      }
      #expect(position == bytes.count)
    }
    #expect(replies == [.errorInArray(index: 1, line: "ERR x")])
  }

  @Test func agreesWithTheModelOnRandomReplies() {
    var random = SeededRandom("random replies")
    for round in 0..<500 {
      let models = (0..<1 + random.below(8)).map { _ in ReplyModel.random(&random) }
      let bytes = models.flatMap(\.wire)
      let expected = Scan(replies: models.map(\.outcome), isBetweenReplies: true)
      let cuts = (0..<random.below(10)).map { _ in random.below(bytes.count + 1) }.sorted()
      #expect(Self.scan(bytes.pieces(cutAt: cuts)) == expected, "round \(round)")
      #expect(Self.scan(bytes.bytewise) == expected, "round \(round)")
    }
  }

  @Test func mutatedRepliesNeverTrap() {
    var random = SeededRandom("mutated replies")
    for round in 0..<5_000 {
      var bytes = (0..<3).flatMap { _ in ReplyModel.random(&random).wire }
      for _ in 0...random.below(4) { CommandDecoderHostileTests.mutate(&bytes, &random) }
      let whole = Self.scan([bytes[...]])
      #expect(whole == Self.scan(bytes.bytewise), "round \(round)")
      if let failure = whole.failure { #expect(failure.code == .protocolViolation) }
    }
  }
}

@Suite struct ReplyExpectationTests {
  @Test func elementsAreHeldAgainstWhatIsExpected() throws {
    let elements = [
      ":0\r\n", ":1\r\n", "$-1\r\n", "$1\r\nx\r\n", ":-2\r\n", ":7\r\n", "*2\r\n:1\r\n:-2\r\n",
      "*2\r\n:1\r\n:2\r\n", "*-1\r\n", "+OK\r\n", ":0\r\n",
    ]
    let bytes = Array(("*\(elements.count)\r\n" + elements.joined()).utf8)
    let expected: ContiguousArray<(index: Int, expectation: ReplyExpectation)> = [
      (0, .effect), (1, .effect), (2, .value), (3, .value), (4, .timeToLive), (5, .timeToLive),
      (6, .fields), (7, .fields), (8, .timeToLive), (9, .effect),
    ]
    for split in 0...bytes.count {
      var scanner = ReplyScanner()
      scanner.expect(expected)
      var position = 0
      let early = try bytes[..<split].withUnsafeBytes { try scanner.next($0, &position) }
      let rest = Array(bytes[position...])
      position = 0
      let reply = try early ?? rest.withUnsafeBytes { try scanner.next($0, &position) }
      #expect(reply == .success && scanner.unmet == [0, 2, 4, 6, 8], "split at \(split)")
    }
  }
}
