// Replies of a pipelined connection, looked at one by one but never held: the replay wants to know
// that each command succeeded, and the text of the error where one did not. A state machine without
// I/O; large replies are skipped as they stream by.

import Glibc

/// What one reply came to.
public enum ScannedReply: Sendable, Equatable {
  /// A status, a non-null string or a list without errors in it.
  case success
  /// A number.
  case integer(Int64)
  /// No value: for `SET … NX`, the key was there already.
  case null
  /// The command failed.
  case error(String)
  /// The commands of a transaction ran, and this is the first that failed: its place in it, from 0.
  /// `ReplyScanner.furtherErrors` has the others.
  case errorInArray(index: Int, line: String)
}

/// Splits a stream of replies.
public struct ReplyScanner: ~Copyable, Sendable {
  /// A status or error line longer than this breaks the protocol.
  public static let lineBytesMax = 1 << 16

  private var skip = 0
  private var isInArray = false
  private var arrayPending = 0
  private var arrayIndex = 0
  private var nestedPending = 0
  private var arrayError: (index: Int, line: String)?
  /// The failures behind the first, in the last list that had any; at most `furtherErrorsMax`.
  public private(set) var furtherErrors: [(index: Int, line: String)] = []
  /// More failures than this are not kept.
  public static let furtherErrorsMax = 65_536
  private var expected: ContiguousArray<(index: Int, expectation: ReplyExpectation)> = []
  private var expectedNext = 0
  /// The places of the elements of the last list that were not as expected, rising.
  public private(set) var unmet: [Int] = []

  /// Makes a scanner at the start of a reply.
  public init() {}

  /// Whether the last byte taken ended a reply.
  public var isBetweenReplies: Bool { !isInArray && skip == 0 }

  /// What the elements of the next reply, a list, have to be; by rising place, from 0. Call it between
  /// replies.
  public mutating func expect(
    _ elements: ContiguousArray<(index: Int, expectation: ReplyExpectation)>
  ) {
    expected = elements
    expectedNext = 0
    unmet.removeAll()
  }

  /// Takes bytes from `position` on until one reply is complete.
  ///
  /// `position` moves behind what was taken; bytes before it need not be kept.
  /// - Returns: nil when the bytes end before the reply does.
  /// - Throws: `.protocolViolation` when they are no RESP2.
  public mutating func next(
    _ bytes: UnsafeRawBufferPointer, _ position: inout Int
  ) throws(LinkError) -> ScannedReply? {
    while true {
      if skip > 0 {
        let taken = min(skip, bytes.count - position)
        position += taken
        skip -= taken
        if skip > 0 { return nil }
        if isInArray {
          if let reply = closeElement() { return reply }
        } else {
          return .success
        }
        continue
      }
      guard let line = try takeLine(bytes, &position) else { return nil }
      if let reply = try interpret(kind: bytes[line.lowerBound], bytes, line) { return reply }
    }
  }

  private mutating func interpret(
    kind: UInt8, _ bytes: UnsafeRawBufferPointer, _ line: Range<Int>
  ) throws(LinkError) -> ScannedReply? {
    let content = line.lowerBound + 1..<line.upperBound
    switch kind {
    case UInt8(ascii: "+"):
      return isInArray ? closeElement() : .success
    case UInt8(ascii: ":"):
      let value = try number(bytes, content)
      if isInArray { look(at: value) }
      return isInArray ? closeElement() : .integer(value)
    case UInt8(ascii: "-"):
      let text = String(decoding: UnsafeRawBufferPointer(rebasing: bytes[content]), as: UTF8.self)
      guard isInArray else { return .error(text) }
      if arrayError == nil {
        arrayError = (arrayIndex, text)
      } else if furtherErrors.count < Self.furtherErrorsMax {
        furtherErrors.append((arrayIndex, text))
      }
      return closeElement()
    case UInt8(ascii: "$"):
      let length = try number(bytes, content)
      if length < 0 {
        if isInArray { look(at: nil) }
        return isInArray ? closeElement() : .null
      }
      guard length <= Int64(RESPReader.bulkBytesMax) * 8 else { throw violation("a huge string") }
      skip = Int(length) + 2
      return nil
    case UInt8(ascii: "*"):
      return try openArray(try number(bytes, content))
    default:
      throw violation("a reply cannot begin with the byte \(kind)")
    }
  }

  private mutating func openArray(_ count: Int64) throws(LinkError) -> ScannedReply? {
    guard count <= 1 << 40 else { throw violation("a list of \(count) elements") }
    if !isInArray {
      if count < 0 { return .null }
      if count == 0 { return .success }
      isInArray = true
      arrayPending = Int(count)
      arrayIndex = 0
      nestedPending = 0
      arrayError = nil
      furtherErrors = []
      return nil
    }
    if count <= 0 {
      look(at: nil)
      return closeElement()
    }
    // A list inside the list: its elements are counted flat, the element closes with the last one.
    let (sum, overflow) = nestedPending.addingReportingOverflow(Int(count))
    guard !overflow else { throw violation("lists too large") }
    if nestedPending == 0 { nestedPending = sum } else { nestedPending = sum - 1 }
    return nil
  }

  /// Holds a number, or `nil` for no value, against what is expected in its place.
  private mutating func look(at number: Int64?) {
    while expectedNext < expected.count, expected[expectedNext].index < arrayIndex {
      expectedNext += 1
    }
    guard expectedNext < expected.count, expected[expectedNext].index == arrayIndex,
      !expected[expectedNext].expectation.isMet(by: number), unmet.last != arrayIndex
    else { return }
    unmet.append(arrayIndex)
  }

  /// One element of the list is complete; gives the reply when it was the last.
  private mutating func closeElement() -> ScannedReply? {
    if nestedPending > 0 {
      nestedPending -= 1
      if nestedPending > 0 { return nil }
    }
    arrayIndex += 1
    arrayPending -= 1
    if arrayPending > 0 { return nil }
    isInArray = false
    defer { arrayError = nil }
    if let error = arrayError { return .errorInArray(index: error.index, line: error.line) }
    return .success
  }

  private func takeLine(
    _ bytes: UnsafeRawBufferPointer, _ position: inout Int
  ) throws(LinkError) -> Range<Int>? {
    let left = bytes.count - position
    guard left > 0, let start = bytes.baseAddress else { return nil }
    guard let found = memchr(start + position, 10, min(left, Self.lineBytesMax)) else {
      guard left < Self.lineBytesMax else { throw violation("a line without an end") }
      return nil
    }
    let end = UnsafeRawPointer(found) - start
    guard end > position && bytes[end - 1] == 13 else {
      throw violation("a line that ends without a carriage return")
    }
    let line = position..<end - 1
    guard !line.isEmpty else { throw violation("an empty line") }
    position = end + 1
    return line
  }

  private func number(
    _ bytes: UnsafeRawBufferPointer, _ content: Range<Int>
  ) throws(LinkError) -> Int64 {
    guard let value = RESPNumber.parse(UnsafeRawBufferPointer(rebasing: bytes[content])) else {
      throw violation("a number that is none")
    }
    return value
  }

  private func violation(_ reason: String) -> LinkError {
    LinkError(.protocolViolation, "reading replies", reason)
  }
}
