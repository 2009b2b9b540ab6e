// migr8sync check: everything that could stop or spoil a run, found before it starts.

import ReplicaLink

/// The `check` subcommand.
struct CheckCommand {
  let options: CheckOptions

  /// Runs to the end and says how the process should exit.
  func run() -> ExitCode {
    let rows = CheckRun.findings(options, options.onConflict, options.spoolDirectory)
    StandardOutput.write(
      options.writesJSON ? rows.map { $0.json.text + "\n" }.joined() : CheckTable.text(rows))
    return rows.contains { $0.level == .fail } ? .refused : .converged
  }
}

/// What `check` prints.
enum CheckTable {
  static func text(_ rows: [CheckFinding]) -> String {
    var lines: [String] = []
    let width = rows.map(\.subject.count).max() ?? 0
    for row in rows {
      let space = String(repeating: " ", count: width - row.subject.count)
      lines.append("  \(row.level.rawValue)  \(row.subject)\(space)  \(LogLine.harmless(row.text))")
      if !row.advice.isEmpty {
        lines.append("  " + String(repeating: " ", count: width + 8) + "→ \(row.advice)")
      }
    }
    func count(_ level: CheckFinding.Level) -> Int { rows.count { $0.level == level } }
    lines.append("")
    lines.append(
      "\(count(.pass)) pass, \(count(.warn)) warn, \(count(.fail)) fail"
        + (count(.fail) > 0 ? ": a sync would be refused, stop, or lose something" : ""))
    return lines.joined(separator: "\n") + "\n"
  }
}
