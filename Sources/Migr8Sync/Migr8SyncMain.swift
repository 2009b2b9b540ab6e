// The entry point of the program: hands the command line to the subcommand it names.

import Glibc
import ReplicaLink

@main
enum Migr8SyncMain {
  static func main() {
    let descriptors = raisedDescriptorLimit()
    if descriptors < descriptorsMin {
      StandardError.write(
        "migr8sync: this process may have no more than \(descriptors) files open, connections included"
          + " (allow it \(descriptorsMin) at least: ulimit -n, LimitNOFILE)\n")
      exit(ExitCode.failed.rawValue)
    }
    let environment = { (name: String) in getenv(name).map { String(cString: $0) } }
    let invocation = Invocation.parse(
      arguments: Array(CommandLine.arguments.dropFirst()), environment: environment)
    var code = run(invocation, environment)
    if !StandardOutput.isComplete {
      // Of a cutover the exit code says where the application is, whatever became of the lines.
      if case .cutover = invocation {} else { code = .failed }
    }
    exit(code.rawValue)
  }

  /// What a run with one destination and its loaders has open.
  private static let descriptorsMin: rlim_t = 64

  /// Every connection, and every file of the spool, is a descriptor. The usual limit of 1024 is there
  /// for programs that use select(2), which this one does not.
  ///
  /// - Returns: the limit from now on.
  private static func raisedDescriptorLimit() -> rlim_t {
    let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    var limit = rlimit()
    guard getrlimit(files, &limit) == 0 else { return .max }
    var raised = limit
    raised.rlim_cur = limit.rlim_max
    return setrlimit(files, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur
  }

  private static func run(
    _ invocation: Invocation, _ environment: @escaping (String) -> String?
  ) -> ExitCode {
    switch invocation {
    case .help(let text), .version(let text):
      StandardOutput.write(text)
      return .converged
    case .usageError(let line):
      StandardError.write(line + "\n")
      return .usage
    case .sync(let options):
      warn(options.warnings, options.view)
      var command = SyncCommand(options: options)
      return command.run()
    case .jobs(let options):
      warn(options.warnings, options.view)
      return JobsCommand(options: options).run()
    case .status(let options):
      return StatusCommand(options: options, environment: environment).run()
    case .tell(let options): return TellCommand(options: options, environment: environment).run()
    case .cutover(let options):
      return CutoverCommand(options: options, environment: environment).run()
    case .verify(let options):
      warn(options.warnings, options.view)
      return VerifyCommand(options: options).run()
    case .verifyJob(let options):
      return VerifyJobCommand(options: options, environment: environment).run()
    case .delete(let options):
      warn(options.warnings, options.view)
      return DeleteCommand(options: options).run()
    case .check(let options):
      warn(options.warnings, OutputView())
      return CheckCommand(options: options).run()
    case .extract(let options):
      warn(options.warnings, options.view)
      var command = ExtractCommand(options: options)
      return command.run()
    case .diff(let options):
      var command = DiffCommand(options: options)
      return command.run()
    case .analyze(let options):
      warn(options.warnings, options.view)
      var command = AnalyzeCommand(options: options)
      return command.run()
    }
  }

  private static func warn(_ warnings: [String], _ view: OutputView) {
    for warning in warnings where !view.isQuiet {
      let now = Clock.wallMilliseconds()
      StandardError.write(
        LogLine.warning(warning, format: view.logFormat, wallMilliseconds: now) + "\n")
    }
  }
}
