// The line of `migr8sync check` that makes a user, carried out as an operator would: pasted into redis-cli,
// and behind it into a shell.

import Foundation
import Testing

/// What `check` says of one thing.
struct CheckRow: Decodable {
  let level: String
  let check: String
  let found: String
  let `do`: String?

  /// The rows of `check --json`.
  static func all(_ arguments: [String]) throws -> [CheckRow] {
    let result = try Tool.run(["check", "--json"] + arguments)
    return try result.standardOutput.split(separator: "\n").map {
      try JSONDecoder().decode(CheckRow.self, from: Data($0.utf8))
    }
  }
}

/// The rights that a row advises.
struct PrintedRights {
  let line: String

  init(_ subject: String, in rows: [CheckRow]) throws {
    let row = try #require(rows.first { $0.check == subject }, "\(rows)")
    let text = row.do ?? row.found
    let start = try #require(text.firstRange(of: "ACL SETUSER"), "\(row)")
    line = String(text[start.lowerBound...])
  }

  /// Gives them to users of a server, to one in redis-cli and to the other in a shell, with the password
  /// `pw`; both are expected to have become the same.
  func give(to user: String, and twin: String, at server: TestServer) throws {
    func words(_ name: String) -> String {
      line.replacingOccurrences(of: "NAME", with: name)
        .replacingOccurrences(of: "PASSWORD", with: "pw")
    }
    for command in [
      "redis-cli -p \(server.port) <<'END'\n\(words(user))\nEND",
      "redis-cli -p \(server.port) \(words(twin))",
    ] {
      let result = try Tool.finish(Subprocess("sh", ["-c", "cd \(server.folder) && \(command)"]))
      #expect(result.standardOutput.hasPrefix("OK"), "\(command)\n\(result)")
    }
    let admin = try server.client()
    #expect(try admin("ACL", "GETUSER", user) == admin("ACL", "GETUSER", twin), "\(line)")
  }
}
