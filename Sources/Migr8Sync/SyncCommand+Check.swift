// What `check` finds without looking at keys stands against a sync, too, unless --force says otherwise.

import ReplicaLink

extension SyncCommand {
  /// Checks both ends before anything is written.
  ///
  /// - Returns: what would stop or spoil the run and is ignored, because --force says so; a line each.
  /// - Throws: `.refused` with all of it.
  func checkFirst() throws(PreflightError) -> [String] {
    if options.isDryRun { return [] }
    let rows = CheckRun.findings(options, options.onConflict, options.spoolDirectory) { run in
      run.psyncCommand = options.psyncCommand
      run.looksAtKeys = false
    }
    let lines = rows.filter { $0.level == .fail }.map(\.line)
    if lines.isEmpty || options.isForced { return lines }
    throw .refused(
      PreflightRefusal(lines.joined(separator: "; ") + "; --force goes on all the same"))
  }
}
