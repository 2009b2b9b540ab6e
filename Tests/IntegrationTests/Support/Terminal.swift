// A terminal at which nobody sits: what the tool asks only where somebody can answer, a test answers by it.

import Glibc

/// A pseudoterminal. What is typed comes to the process that has its path as standard input.
final class Terminal {
  private static let unlock: UInt = 0x4004_5431  // TIOCSPTLCK
  private static let getNumber: UInt = 0x8004_5430  // TIOCGPTN

  private let descriptor: Int32
  let path: String

  init() throws {
    descriptor = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
    var isLocked: Int32 = 0
    var number: Int32 = 0
    guard descriptor >= 0, ioctl(descriptor, Self.unlock, &isLocked) == 0,
      ioctl(descriptor, Self.getNumber, &number) == 0
    else { throw TestFailure("no pseudoterminal: \(String(cString: strerror(errno)))") }
    path = "/dev/pts/\(number)"
  }

  deinit { close(descriptor) }

  func type(_ line: String) throws {
    let bytes = Array("\(line)\n".utf8)
    guard write(descriptor, bytes, bytes.count) == bytes.count else {
      throw TestFailure("the terminal does not take what is typed")
    }
  }
}
