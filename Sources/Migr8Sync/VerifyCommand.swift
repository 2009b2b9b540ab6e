// migr8sync verify: compares a source with its destinations while both are in use, and mends on demand.

import ReplicaLink

/// The `verify` subcommand.
struct VerifyCommand {
  let options: VerifyOptions
  private let signals = StopSignals()
  private let progress = VerifyProgress()

  init(options: VerifyOptions) {
    self.options = options
  }

  /// Runs to the end and says how the process should exit.
  func run() -> ExitCode {
    signals.install()
    let progress = progress
    signals.onStop { progress.cancel() }
    let lines = VerifyLines(options, progress)
    let reporter = lines.start()
    let code = compare(lines)
    lines.stop()
    reporter.join()
    return code
  }

  private func compare(_ lines: VerifyLines) -> ExitCode {
    var result = options.from?.leftUndecided ?? false ? ExitCode.failed : .converged
    if options.from?.foundDifferences ?? false { result = .differences }
    do throws(ReplayError) {
      for plan in options.plans where plan.route >= options.from?.route ?? 0 {
        let code = try compare(plan, lines)
        if code == .refused { return code }
        if code != .converged, result != .differences { result = code }
      }
    } catch {
      let mended = progress.snapshot.fixed
      if mended > 0 { lines.note("\(HumanNumber.count(mended)) keys were mended before") }
      lines.incomplete(error.isInterruption ? "interrupted" : "\(error)")
      return error.isInterruption ? .interrupted : .failed
    }
    lines.summary()
    return result
  }

  private func compare(_ plan: VerifyPlan, _ lines: VerifyLines) throws(ReplayError) -> ExitCode {
    var refusal: String?
    var verifier = try Verifier(
      plan, progress: progress, onDifference: lines.difference, onUndecided: lines.undecided
    ) { (finding) throws(ReplayError) in
      switch finding {
      case .job(let job): lines.note("comparing beside the running job \(job.identity.name)")
      case .none: break
      case .unclear(let reason):
        if plan.fixes { refusal = reason } else { lines.note("no job is relied on: \(reason)") }
      }
    }
    if let refusal {
      lines.failed(
        "--fix could write what a job then writes once more: \(refusal); nothing was written")
      return .refused
    }
    if plan.extent == .quick {
      let rows = try verifier.census()
      lines.census(rows)
      return rows.allSatisfy(\.isSame) ? .converged : .differences
    }
    try verifier.run()
    if plan.fixes, !verifier.found.isEmpty {
      let count = UInt64(verifier.found.count)
      guard options.assumesYes || confirm(count, plan) else {
        lines.failed("not confirmed: nothing was written (add --yes where there is no terminal)")
        return .refused
      }
      lines.note("mending \(HumanNumber.count(count)) keys")
      let mended = try verifier.fix()
      lines.note("mended \(HumanNumber.count(mended)) of them")
      if count == Verifier.foundMax {
        lines.note("so many are mended by one run: the same command mends the rest")
      }
    }
    let end = progress.snapshot
    if end.differenceCount > 0 { return .differences }
    return end.undecided > 0 ? .failed : .converged
  }

  private func confirm(_ count: UInt64, _ plan: VerifyPlan) -> Bool {
    Confirmation.ask(
      "This makes \(HumanNumber.count(count)) keys of \(plan.destination.url.endpoint) what they are"
        + " at the source; those that the source does not have are removed.\nType their number to go"
        + " on: ", expecting: "\(count)")
  }
}
