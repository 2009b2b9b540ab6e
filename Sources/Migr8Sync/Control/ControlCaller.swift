// One caller of the control socket: what he has written and not ended yet, and what he has not read yet.

import Glibc
import ReplicaLink

/// A conversation. Used by the control thread alone.
final class ControlCaller {
  /// A request longer than this ends the conversation, in bytes.
  static let requestBytesMax = 64 << 10
  /// A caller who leaves more than this unread is left, in bytes.
  static let unreadBytesMax = 1 << 20

  private let socket: ControlSocket
  private var input: [UInt8] = []
  private var output: [UInt8] = []
  private var answersAwaited = 0
  /// Whether he will write nothing more; he may still read.
  private var hasClosed = false
  private var isGone = false
  private var heardMilliseconds = Clock.monotonicMilliseconds()
  private var buffer = [UInt8](repeating: 0, count: 4096)

  init(_ socket: consuming ControlSocket) {
    self.socket = socket
  }

  /// What to poll for. Of one who has closed his end only room is of interest, and nothing while there is
  /// nothing to say: that he has hung up is told whatever was asked for, and again and again.
  var interest: pollfd {
    let events = (hasClosed ? 0 : Int16(POLLIN)) | (output.isEmpty ? 0 : Int16(POLLOUT))
    return pollfd(fd: events == 0 ? -1 : socket.descriptor, events: events, revents: 0)
  }

  /// Whether everything that was said to him has left.
  var hasNothingToSay: Bool { output.isEmpty || isGone }

  /// Whether the conversation has come to its end.
  var isOver: Bool { isGone || (hasClosed && answersAwaited == 0 && output.isEmpty) }

  /// Whether nothing has come from him since then, and nothing is to go to him.
  func isIdle(since milliseconds: Int64) -> Bool {
    heardMilliseconds <= milliseconds && answersAwaited == 0 && output.isEmpty
  }

  func awaitsAnswer() { answersAwaited += 1 }

  /// Puts a line into the output.
  func say(_ line: String, isLast: Bool) {
    if isLast { answersAwaited -= 1 }
    output += line.utf8
    output.append(10)
    if output.count > Self.unreadBytesMax { isGone = true }
  }

  /// Refuses the conversation.
  func sendAway(_ reason: String) {
    output += (ControlReply.refusal(reason).text + "\n").utf8
    send()
  }

  /// Sends what can be sent, reads what there is; the requests that are whole.
  func exchange() -> [[UInt8]] {
    receive()
    var lines: [[UInt8]] = []
    while let end = input.firstIndex(of: 10) {
      let line = Array(input[..<end])
      input.removeSubrange(...end)
      if line.contains(where: { $0 > 32 }) { lines.append(line) }
    }
    if hasClosed, input.contains(where: { $0 > 32 }) { lines.append(input) }
    if hasClosed { input = [] }
    if input.count > Self.requestBytesMax {
      sendAway("a request is longer than \(Self.requestBytesMax) bytes")
      isGone = true
    }
    send()
    return isGone ? [] : lines
  }

  /// Reads no more than a request's worth in one go: the others' turn comes.
  private func receive() {
    while !hasClosed, !isGone, input.count <= Self.requestBytesMax {
      switch socket.receive(into: &buffer) {
      case .bytes(let count):
        input += buffer[..<count]
        heardMilliseconds = Clock.monotonicMilliseconds()
      case .wouldBlock: return
      case .ended: hasClosed = true
      }
    }
  }

  private func send() {
    while !output.isEmpty, !isGone {
      switch socket.send(output) {
      case .bytes(let count): output.removeFirst(count)
      case .wouldBlock: return
      case .ended: isGone = true
      }
    }
  }
}
