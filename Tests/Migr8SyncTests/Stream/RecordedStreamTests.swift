// The streams real servers of six versions sent to a replica, through the router.

import Glibc
import Testing

@testable import Migr8Sync

@Suite struct RecordedStreamTests {
  static let folder = "../shared/fixtures/by-version"
  static let labels = ["2.8", "3.2", "4.0", "5.0", "6.0", "7.4"].map { "redis-\($0)" }
  static let isThere = access("\(folder)/\(labels[0]).link", R_OK) == 0

  private static func contents(_ path: String) throws -> [UInt8] {
    let file = try #require(fopen(path, "rb"))
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&chunk, 1, chunk.count, file), count > 0 {
      bytes += chunk[..<count]
    }
    return bytes
  }

  /// The snapshot and the commands of a recorded link.
  static func parts(_ label: String) throws -> (rdb: [UInt8], commands: [CommandUnderTest]) {
    let bytes = try contents("\(folder)/\(label).link")
    var position = try #require(bytes.firstIndex(of: 10)) + 1
    while bytes[position] == 10 { position += 1 }
    let lineEnd = try #require(bytes[position...].firstIndex(of: 13))
    let frame = Array(bytes[position + 1..<lineEnd])
    let rdb: Range<Int>
    if frame.starts(with: Array("EOF:".utf8)) {
      let mark = Array(frame.dropFirst(4))
      let end = try #require(
        (lineEnd + 2..<bytes.count - 40).first {
          bytes[$0] == mark[0] && bytes[$0...].starts(with: mark)
        })
      rdb = lineEnd + 2..<end
      position = end + 40
    } else {
      let count = try #require(Int(String(decoding: frame, as: UTF8.self)))
      rdb = lineEnd + 2..<lineEnd + 2 + count
      position = rdb.upperBound
    }
    var commands: [CommandUnderTest] = []
    while position < bytes.count {
      let command = try #require(RESP.decode(bytes, at: position))
      commands.append(CommandUnderTest(command.arguments.map { Array(bytes[$0]) }))
      position = command.range.upperBound
    }
    return (Array(bytes[rdb]), commands)
  }

  // The workload's keys begin with in: or out:, and nothing else in its commands does: that tells
  // the keys without any table.
  @Test(
    .enabled(if: isThere, "../shared/fixtures/by-version is absent"), arguments: labels)
  func underAPrefixEveryCommandIsRoutedByItsKeys(_ label: String) throws {
    var router = CommandRouterTests.router(prefixes: ["in:"])
    var counts: [String: Int] = [:]
    for command in try Self.parts(label).commands {
      let words = command.words.map { String(decoding: $0, as: UTF8.self) }
      let name = words[0].uppercased()
      let inside = words.filter { $0.hasPrefix("in:") }.count
      let outside = words.filter { $0.hasPrefix("out:") }.count
      let outcome = Outcome(router.decide(command))
      switch outcome {
      case .forward: #expect(inside > 0 && outside == 0, "\(words)")
      case .drop(.otherKeys):
        // What reads matching keys and writes others is no loss.
        #expect(
          inside == 0 || !words[1].hasPrefix("in:") || name == "SORT" || name == "COPY", "\(words)")
      case .drop(.message): #expect(name == "PUBLISH")
      case .subset(let text):
        #expect(["DEL", "MSET"].contains(name) && inside > 0 && outside > 0)
        #expect(text.split(separator: " ").filter { $0.hasPrefix("in:") }.count == inside)
        #expect(!text.contains("out:"))
      case .translated: #expect(inside > 0 && outside > 0, "\(words)")
      case .repair: #expect(inside > 0 && (outside > 0 || router.repairs.count > 1), "\(words)")
      case .drop(.underRepair): #expect(inside > 0, "\(words)")
      case .flush: #expect(name == "FLUSHDB")
      case .begin, .commit, .consumed: #expect(["MULTI", "EXEC", "SELECT", "PING"].contains(name))
      default: Issue.record("\(label): \(words) gives \(outcome)")
      }
      counts["\(outcome)".prefix { $0 != "(" }.description, default: 0] += 1
    }
    for kind in ["forward", "drop", "subset", "repair", "begin", "commit"] {
      #expect(counts[kind, default: 0] > 0, "\(label) has no \(kind)")
    }
  }

  @Test(
    .enabled(if: isThere, "../shared/fixtures/by-version is absent"), arguments: labels)
  func withoutAFilterEverythingButMessagesPassesUnchanged(_ label: String) throws {
    var router = CommandRouterTests.router()
    var selected = 0
    for command in try Self.parts(label).commands {
      let name = String(decoding: command.words[0], as: UTF8.self).uppercased()
      switch router.decide(command) {
      case .forward(let database): #expect(database == nil || database == selected)
      case .flush: #expect(name == "FLUSHDB" || name == "FLUSHALL")
      case .begin: #expect(name == "MULTI")
      case .commit: #expect(name == "EXEC")
      case .drop(.message): #expect(name == "PUBLISH")
      case .consumed:
        #expect(name == "SELECT" || name == "PING")
        if name == "SELECT" {
          selected = try #require(Int(String(decoding: command.words[1], as: UTF8.self)))
        }
      case let decision: Issue.record("\(label): \(name) gives \(decision)")
      }
    }
    #expect(!router.isInTransaction)
  }
}
