// What `check` finds without looking at keys stands against a sync, too, unless --force says otherwise.

import ReplicaLink

extension SyncCommand {
  /// Checks both ends before anything is written.
  ///
  /// - Returns: what would stop or spoil the run and is ignored, because --force says so; a line each.
  /// - Throws: `.refused` with all of it.
  func checkFirst() throws(PreflightError) -> [String] {
    if options.isDryRun { return [] }
    var rows: [CheckFinding] = []
    for route in options.routes {
      var run = CheckRun(
        source: options.sourceLocator,
        destination: ServerLocator(route.destination, timeouts: options.timeouts),
        mapping: route.mapping, onConflict: options.onConflict,
        spoolDirectory: options.spoolDirectory, timeouts: options.timeouts)
      run.psyncCommand = options.psyncCommand
      run.way = options.way
      run.looksAtKeys = false
      rows += run.findings().filter { $0.level == .fail && !rows.contains($0) }
    }
    let lines = rows.map(\.line)
    if lines.isEmpty || options.isForced { return lines }
    throw .refused(
      PreflightRefusal(lines.joined(separator: "; ") + "; --force goes on all the same"))
  }
}
