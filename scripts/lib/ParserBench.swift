// Reads an RDB file with RDBParser and nothing else, for scripts/bench: either finding where each
// value ends (checksum included), or taking every value apart to its elements. Prints the number of
// keys and elements, so that the work cannot have been optimised away.
//
//   parser-bench delimit|decode FILE

import Glibc

@main
enum ParserBench {
  static func main() throws {
    let arguments = CommandLine.arguments
    guard arguments.count == 3 else { fail("usage: parser-bench delimit|decode FILE") }
    let file = open(arguments[2], O_RDONLY)
    guard file >= 0 else { fail("cannot open \(arguments[2])") }
    let decodes = arguments[1] == "decode"
    var reader = RDBReader()
    var keys = 0
    var elements = 0
    while true {
      switch try reader.next() {
      case .needsInput: fill(&reader, file)
      case .entry:
        keys += 1
        guard decodes else { continue }
        var element = try reader.nextElement()
        while element != .end {
          if element == .needsInput { fill(&reader, file) } else { elements += 1 }
          element = try reader.nextElement()
        }
      case .end(let trailer):
        print("\(keys) keys, \(elements) elements, checksum \(trailer.checksum)")
        printPeakMemory()
        return
      default: continue
      }
    }
  }

  private static func fail(_ line: String) -> Never {
    print(line)
    exit(2)
  }

  /// As the system counts it for this process alone: `VmHWM: n kB`.
  private static func printPeakMemory() {
    guard let status = fopen("/proc/self/status", "r") else { return }
    var line: UnsafeMutablePointer<CChar>?
    var size = 0
    while getline(&line, &size, status) > 0 {
      if let line, strncmp(line, "VmHWM:", 6) == 0 { print(String(cString: line), terminator: "") }
    }
    free(line)
    fclose(status)
  }

  private static func fill(_ reader: inout RDBReader, _ file: Int32) {
    let count = reader.fill(minimum: 1 << 18) { room in
      max(0, read(file, room.baseAddress, room.count))
    }
    if count == 0 { reader.finishInput() }
  }
}
