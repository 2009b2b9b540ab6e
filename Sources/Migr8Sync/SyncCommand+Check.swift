// What `check` finds without looking at keys stands against a sync, too, unless --force says otherwise.

import ReplicaLink

extension SyncCommand {
  /// Checks both ends before anything is written.
  ///
  /// - Returns: what would stop or spoil the run and is ignored, because --force says so; a line each.
  /// - Throws: `.refused` with all of it.
  func checkFirst() throws(PreflightError) -> [String] {
    if options.isDryRun { return [] }
    let lines = options.failedChecks()
    if lines.isEmpty || options.isForced { return lines }
    throw .refused(
      PreflightRefusal(lines.joined(separator: "; ") + "; --force goes on all the same"))
  }
}

extension SyncOptions {
  /// What both ends have against the run, without a look at keys; a line each.
  func failedChecks() -> [String] {
    let rows = CheckRun.findings(self, onConflict, spoolDirectory) { run in
      run.psyncCommand = psyncCommand
      run.way = way
      run.workers = workers ?? run.workers
      run.looksAtKeys = false
    }
    return rows.filter { $0.level == .fail }.map(\.line)
  }
}
