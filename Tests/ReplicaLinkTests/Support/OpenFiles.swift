// A look at this process's own descriptors and connections, by way of /proc.

import Foundation

/// The open files of this process.
enum OpenFiles {
  static func all() -> [(descriptor: Int32, target: String)] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    return names.compactMap { name in
      guard let descriptor = Int32(name),
        let target = try? FileManager.default.destinationOfSymbolicLink(
          atPath: "/proc/self/fd/\(name)")
      else { return nil }
      return (descriptor, target)
    }
  }

  /// The rows of this process's connections to `port` of the loopback interface.
  static func connections(toPort port: String) throws -> [String] {
    let table = try String(contentsOfFile: "/proc/net/tcp", encoding: .utf8)
    let inodes = Set(all().compactMap { $0.target.split(separator: "[").last?.dropLast() })
    return table.split(separator: "\n").dropFirst().compactMap { row in
      let columns = row.split(separator: " ")
      let isOurs = inodes.contains(columns[9])
      let remote = columns[2].split(separator: ":")[1]
      let isListener = columns[3] == "0A"
      return isOurs && !isListener && remote == port ? String(row) : nil
    }
  }

  /// Makes the system's hands small for this process's connection to `port`.
  static func limitSending(toPort port: UInt16) {
    for (descriptor, _) in all() {
      var address = sockaddr_in()
      var size = socklen_t(MemoryLayout<sockaddr_in>.size)
      let status = withUnsafeMutableBytes(of: &address) {
        getpeername(descriptor, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), &size)
      }
      guard status == 0, address.sin_port == port.bigEndian else { continue }
      var bytes: Int32 = 1
      setsockopt(
        descriptor, SOL_SOCKET, SO_SNDBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
    }
  }
}
