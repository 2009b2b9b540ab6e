// What one thread of a process does, as the kernel counts it: whether it rests, or turns in a circle.

import Glibc

/// A thread of another process.
struct ThreadUse {
  private let folder: String

  /// Finds the first one of that name.
  static func find(_ name: String, of process: pid_t) throws -> ThreadUse {
    let tasks = "/proc/\(process)/task"
    guard let entries = opendir(tasks) else { throw TestFailure("there is no \(tasks)") }
    defer { closedir(entries) }
    while let entry = readdir(entries) {
      let number = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      let thread = ThreadUse(folder: "\(tasks)/\(number)")
      if !number.hasPrefix("."), try thread.text("comm") == name + "\n" { return thread }
    }
    throw TestFailure("process \(process) has no thread \(name)")
  }

  /// How often it has waited, and how long it has worked, in ticks of the kernel (mostly 10 ms).
  func read() throws -> (rests: Int, ticks: Int) {
    let rests = try text("status").split(separator: "\n")
      .first { $0.hasPrefix("voluntary_ctxt_switches:") }?.split(separator: "\t").last
    // Behind the name in brackets: the state is the first, utime and stime are the 12th and 13th.
    let fields = try text("stat").split(separator: ")").last?.split(separator: " ") ?? []
    guard let rests = rests.flatMap({ Int($0) }), fields.count > 12, let user = Int(fields[11]),
      let system = Int(fields[12])
    else { throw TestFailure("\(folder) makes no sense") }
    return (rests, user + system)
  }

  private func text(_ name: String) throws -> String {
    guard let file = fopen("\(folder)/\(name)", "r") else {
      throw TestFailure("there is no \(folder)/\(name)")
    }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 8192)
    let count = fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes[..<count], as: UTF8.self)
  }
}
