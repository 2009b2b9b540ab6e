// The replication stream, cut into commands with their exact offsets. A state machine without I/O:
// bytes are filled in, commands come out; every byte of the stream belongs to exactly one command,
// fillers between commands to the command that follows them, as replicas count them.

import Glibc

/// An incremental decoder of the commands a master sends its replicas.
///
/// It owns one window. A command is complete in the window before it is reported, and the place
/// reached in a long command is remembered, so each byte is looked at once.
public struct CommandDecoder: ~Copyable, Sendable {
  /// What `next()` came to.
  public enum Step: Sendable, Equatable {
    /// The window holds no complete command; fill it.
    case needsInput
    /// A command is ready in `withCommand`.
    case command
    /// A command larger than `wholeBytesMax` has begun, and its name and next argument are there:
    /// read it in parts (`CommandDecoder+Parts.swift`), or go on with `next` to have it whole.
    case largeCommand
  }

  /// The longest command accepted, in bytes: one argument of 512 MB, the servers' default limit for
  /// clients, with room for the exceptions the master link is granted.
  public static let commandBytesMax = 2 << 30
  /// The most arguments one command may have, a server's own limit for its masters.
  public static let argumentCountMax = Int(Int32.max)
  /// A window larger than this is given back once the command that needed it is done, in bytes.
  static let keptBytesMax = 4 << 20
  private static let windowBytes = 1 << 18
  /// Digits and line end of the longest header.
  private static let headerBytesMax = 32

  let wholeBytesMax: Int
  var window: ByteBuffer
  /// Bytes of the current command that have left the window already: fillers, parts handed out.
  var droppedBytes = 0
  /// Where in the window the rest of the current command, its fillers included, begins.
  var commandStart = 0
  /// Where its `*` stands.
  var headerStart = 0
  /// Up to where the current command has been understood.
  var scan = 0
  var expectedArguments = -1
  var pendingBulk = -1
  var isReady = false
  var isLargeOffered = false
  /// Arguments of a command read in parts that have not been read to their end.
  var partArgumentsLeft = 0
  var isPartLent = false
  var arguments: ContiguousArray<Range<Int>> = []

  /// The stream offset of the last byte before the current command.
  public private(set) var startOffset: UInt64
  /// The stream offset of the current command's last byte: what a replica acknowledges after it.
  public internal(set) var endOffset: UInt64

  /// Makes a decoder for the bytes that follow `offset`.
  ///
  /// - Parameter offset: as in `+FULLRESYNC <id> <offset>`: the last byte before the first. At most
  ///   `Int64.max`, as at the servers; no stream is long enough to overflow from there.
  /// - Parameter wholeBytesMax: the largest command, in bytes, that is never offered in parts.
  public init(offset: UInt64, wholeBytesMax: Int = 1 << 20) {
    self.wholeBytesMax = wholeBytesMax
    precondition(offset <= UInt64(Int64.max), "a stream offset beyond what servers count to")
    window = ByteBuffer(capacity: Self.windowBytes)
    startOffset = offset
    endOffset = offset
  }

  /// Bytes in the window behind the last command reported: the beginning of the next one.
  public var pendingBytes: Int {
    isReady ? window.count - scan : droppedBytes + window.count - commandStart
  }

  /// The memory of the window, in bytes.
  var windowBytes: Int { window.allocatedBytes }

  /// Gives `body` writable room of at least `minimum` bytes; it returns how many it filled.
  public mutating func fill<E: Error>(
    minimum: Int, _ body: (UnsafeMutableRawBufferPointer) throws(E) -> Int
  ) throws(E) -> Int {
    finishCommand()
    dropFillers()
    // What is done with leaves when it is more than what stays, so each byte moves once or twice.
    if commandStart > 0 && commandStart >= window.count - commandStart {
      window.removeFirst(commandStart)
      headerStart -= commandStart
      scan -= commandStart
      commandStart = 0
      if windowBytes > Self.keptBytesMax && window.count <= Self.windowBytes { shrinkWindow() }
    }
    return try window.fill(minimum: minimum, body)
  }

  /// Lets fillers go that no command has followed yet: a source may send them for ever.
  private mutating func dropFillers() {
    guard expectedArguments < 0 else { return }
    droppedBytes += scan - commandStart
    commandStart = scan
    headerStart = scan
  }

  private mutating func shrinkWindow() {
    var smaller = ByteBuffer(capacity: Self.windowBytes)
    window.withBytes { smaller.append($0) }
    window = smaller
  }

  /// Appends bytes that are in memory already.
  public mutating func append(_ bytes: UnsafeRawBufferPointer) {
    _ = fill(minimum: bytes.count) { room in
      if let source = bytes.baseAddress {
        room.baseAddress?.copyMemory(from: source, byteCount: bytes.count)
      }
      return bytes.count
    }
  }

  /// Moves on to the next command.
  ///
  /// - Throws: `.protocolViolation` with the offset, for bytes that no master sends.
  public mutating func next() throws(LinkError) -> Step {
    finishCommand()
    let window = UnsafeRawBufferPointer(start: self.window.base, count: self.window.count)
    while true {
      if expectedArguments < 0 {
        guard try readArrayHeader(window) else { return .needsInput }
        continue
      }
      if arguments.count == expectedArguments {
        isReady = true
        endOffset = startOffset + UInt64(droppedBytes + scan - commandStart)
        return .command
      }
      guard try readArgument(window) else {
        let known = max(window.count, scan + max(0, pendingBulk)) - headerStart
        guard known > wholeBytesMax && arguments.count >= 2 && !isLargeOffered else {
          return .needsInput
        }
        isLargeOffered = true
        return .largeCommand
      }
    }
  }

  /// Lends the current command, from its `*` on, with each argument's range in it.
  ///
  /// The ranges count from the start of the lent bytes. Only after `.command`.
  public func withCommand<R, E: Error>(
    _ body: (UnsafeRawBufferPointer, ContiguousArray<Range<Int>>) throws(E) -> R
  ) throws(E) -> R {
    precondition(isReady, "no command is ready")
    let bytes = UnsafeRawBufferPointer(start: window.base + headerStart, count: scan - headerStart)
    return try body(bytes, arguments)
  }

  mutating func finishCommand() {
    guard isReady else { return }
    isReady = false
    isLargeOffered = false
    isPartLent = false
    startOffset = endOffset
    droppedBytes = 0
    commandStart = scan
    expectedArguments = -1
    pendingBulk = -1
    arguments.removeAll(keepingCapacity: true)
  }

  /// Reads `*n`; skips the fillers a replica accepts between commands. False: needs input.
  private mutating func readArrayHeader(
    _ window: UnsafeRawBufferPointer
  ) throws(LinkError) -> Bool {
    while scan < window.count && (window[scan] == 10 || window[scan] == 13) {
      if window[scan] == 13 {
        guard scan + 1 < window.count else { return false }
        guard window[scan + 1] == 10 else { throw violation("a stray carriage return", at: scan) }
        scan += 1
      }
      scan += 1
    }
    guard scan < window.count else { return false }
    guard window[scan] == UInt8(ascii: "*") else {
      throw violation("a command cannot begin with the byte \(window[scan])", at: scan)
    }
    headerStart = scan
    guard let count = try readHeaderNumber(window) else { return false }
    if count <= 0 { return true }  // `*0` and `*-1` are fillers
    guard count <= Self.argumentCountMax else {
      throw violation("a command of \(count) arguments", at: headerStart)
    }
    expectedArguments = Int(count)
    return true
  }

  private mutating func readArgument(_ window: UnsafeRawBufferPointer) throws(LinkError) -> Bool {
    guard try readBulkHeader(window, lengthMax: Self.commandBytesMax - (scan - headerStart)) else {
      return false
    }
    guard window.count - scan >= pendingBulk + 2 else { return false }
    let end = scan + pendingBulk
    guard window[end] == 13 && window[end + 1] == 10 else {
      throw violation("an argument longer than its length says", at: end)
    }
    arguments.append(scan - headerStart..<end - headerStart)
    scan = end + 2
    pendingBulk = -1
    return true
  }

  /// Reads `$n` into `pendingBulk`, unless that is known already. False: needs input.
  mutating func readBulkHeader(
    _ window: UnsafeRawBufferPointer, lengthMax: Int
  ) throws(LinkError) -> Bool {
    if pendingBulk >= 0 { return true }
    guard scan < window.count else { return false }
    guard window[scan] == UInt8(ascii: "$") else {
      throw violation("an argument cannot begin with the byte \(window[scan])", at: scan)
    }
    let headerAt = scan
    guard let length = try readHeaderNumber(window) else { return false }
    guard length >= 0 && length <= lengthMax - (scan - headerAt) else {
      throw violation("an argument of \(length) bytes", at: headerAt)
    }
    pendingBulk = Int(length)
    return true
  }

  /// The number of the header line at `scan`, which moves behind the line; nil: needs input.
  mutating func readHeaderNumber(
    _ window: UnsafeRawBufferPointer
  ) throws(LinkError) -> Int64? {
    let first = scan + 1
    let limit = min(window.count, first + Self.headerBytesMax)
    var end = first
    while end < limit && window[end] != 13 { end += 1 }
    guard end < limit else {
      if limit == first + Self.headerBytesMax { throw violation("a length without end", at: scan) }
      return nil
    }
    guard end + 1 < window.count else { return nil }
    let digits = UnsafeRawBufferPointer(rebasing: window[first..<end])
    guard window[end + 1] == 10, let value = RESPNumber.parse(digits) else {
      throw violation("a length that is not a number", at: scan)
    }
    scan = end + 2
    return value
  }

  func violation(_ reason: String, at position: Int) -> LinkError {
    let offset = startOffset + UInt64(droppedBytes + position - commandStart) + 1
    return LinkError(
      .protocolViolation, "reading the replication stream", "\(reason), at offset \(offset)")
  }
}
