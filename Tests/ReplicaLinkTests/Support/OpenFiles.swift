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

  /// The rows of /proc/net/tcp. Foundation takes the first short read of such a file for its end.
  static func connectionTable() throws -> [[Substring]] {
    let file = open("/proc/net/tcp", O_RDONLY)
    guard file >= 0 else { throw PlayError(description: "no /proc/net/tcp") }
    defer { close(file) }
    var text: [UInt8] = []
    var room = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(file, &room, room.count)
      if count <= 0 { break }
      text += room[..<count]
    }
    let lines = String(decoding: text, as: UTF8.self).split(separator: "\n")
    return lines.dropFirst().map { $0.split(separator: " ") }
  }

  /// The rows of this process's connections to `port` of the loopback interface.
  static func connections(toPort port: UInt16) throws -> [[Substring]] {
    let inodes = Set(all().compactMap { $0.target.split(separator: "[").last?.dropLast() })
    return try connectionTable().filter { row in
      let remote = UInt16(row[2].split(separator: ":")[1], radix: 16)
      return remote == port && inodes.contains(row[9])
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
