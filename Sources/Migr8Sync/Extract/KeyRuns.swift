// KeyRuns: what diff keeps of a file: a record for each key, with the meaning of its value. The records
// are dealt out over runs by the hash of the key, and the runs lie in one file without a name, so memory
// holds the blocks being filled and, later, one run at a time.
//
//   record: length 4 · db 4 · type 1 · expires 1 · expiry 8 · meaning 16 · key

import Glibc
import RDBParser
import ReplicaLink

/// What a file holds under a key.
struct KeyRecord: Sendable {
  var type: RDBValueKind
  var expiryMilliseconds: Int64?
  /// `RDBMeaning.digest` of its value.
  var meaning: RDBDigest
}

/// The records of one file. Written by one thread, read by one after it.
///
/// `@unchecked Sendable`: handed from the thread that fills it to the one that reads it by its end.
final class KeyRuns: @unchecked Sendable {
  private static let headBytes = 34
  /// A type is written as its place among these.
  private static let types = RDBValueKind.allCases
  /// A run's block, in bytes.
  private static let blockBytes = 16 << 10
  /// How large a run should be, in bytes of records, and how many there may be at most.
  private static let runBytes: UInt64 = 4 << 20
  private static let runsMax: UInt64 = 512

  /// One part of the keys: the block that is being filled, and where the full ones are.
  private final class RunBox {
    var buffer = ByteBuffer(capacity: 1024)
    var places: [(offset: off_t, count: Int)] = []
  }

  private let runs: [RunBox]
  private let descriptor: Int32
  private var end: off_t = 0

  /// How many runs serve for so many bytes of RDB files.
  static func count(forBytes bytes: UInt64?) -> Int {
    guard let bytes else { return 256 }
    return Int(min(runsMax, bytes / runBytes + 1))
  }

  /// - Parameters:
  ///   - count: the number of runs; the same for two that are compared.
  ///   - folder: where the file without a name lies.
  init(count: Int, folder: String) throws(ReplayError) {
    runs = (0..<count).map { _ in RunBox() }
    var template = Array("\(folder)/migr8sync-diff-XXXXXX".utf8CString)
    descriptor = mkstemp(&template)
    guard descriptor >= 0 else {
      throw ReplayError(
        "creating a file in \(folder): \(String(cString: strerror(errno))) (TMPDIR names another"
          + " folder)")
    }
    unlink(template)
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
  }

  /// Notes a key.
  func add(_ key: Span<UInt8>, database: Int, _ record: KeyRecord) throws(ReplayError) {
    let run = runs[Int(RDBDigest(of: key).high % UInt64(runs.count))]
    append(UInt64(Self.headBytes + key.count), 4, &run.buffer)
    append(UInt64(truncatingIfNeeded: database), 4, &run.buffer)
    run.buffer.append(byte: UInt8(Self.types.firstIndex(of: record.type) ?? 0))
    run.buffer.append(byte: record.expiryMilliseconds == nil ? 0 : 1)
    append(UInt64(bitPattern: record.expiryMilliseconds ?? 0), 8, &run.buffer)
    append(record.meaning.low, 8, &run.buffer)
    append(record.meaning.high, 8, &run.buffer)
    run.buffer.append(key)
    if run.buffer.count >= Self.blockBytes { try flush(run) }
  }

  private func append(_ value: UInt64, _ size: Int, _ buffer: inout ByteBuffer) {
    for index in 0..<size {
      buffer.append(byte: UInt8(truncatingIfNeeded: value >> UInt64(8 * index)))
    }
  }

  private func flush(_ run: RunBox) throws(ReplayError) {
    let count = run.buffer.count
    let failure = BlockWriter.write(run.buffer, to: descriptor)
    guard failure == 0 else {
      throw ReplayError(
        "writing what diff remembers: \(String(cString: strerror(failure))) (TMPDIR names another folder)"
      )
    }
    run.places.append((end, count))
    end += off_t(count)
    run.buffer.removeAll()
  }

  /// The number of runs.
  var count: Int { runs.count }

  /// Reads a run back: every key in it once, with its database in front.
  func records(of index: Int) throws(ReplayError) -> [[UInt8]: KeyRecord] {
    let run = runs[index]
    var bytes = ByteBuffer()
    for place in run.places {
      _ = try bytes.fill(minimum: place.count) { room throws(ReplayError) -> Int in
        var done = 0
        while done < place.count {
          let count = pread(
            descriptor, room.baseAddress?.advanced(by: done), place.count - done,
            place.offset + off_t(done))
          if count < 0, errno == EINTR { continue }
          guard count > 0 else {
            throw ReplayError("reading what diff remembers: \(String(cString: strerror(errno)))")
          }
          done += count
        }
        return done
      }
    }
    run.buffer.withBytes { bytes.append($0) }
    return bytes.withBytes { Self.parse($0) }
  }

  private static func parse(_ bytes: UnsafeRawBufferPointer) -> [[UInt8]: KeyRecord] {
    var records: [[UInt8]: KeyRecord] = [:]
    func number(_ offset: Int) -> UInt64 {
      UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    var start = 0
    while start + headBytes <= bytes.count {
      let length = Int(number(start) & 0xFFFF_FFFF)
      let expiry = bytes[start + 9] == 0 ? nil : Int64(bitPattern: number(start + 10))
      // The database, then the key: what the record is about.
      let name = Array(bytes[start + 4..<start + 8]) + bytes[start + headBytes..<start + length]
      records[name] = KeyRecord(
        type: types[Int(bytes[start + 8])], expiryMilliseconds: expiry,
        meaning: RDBDigest(low: number(start + 18), high: number(start + 26)))
      start += length
    }
    return records
  }
}
