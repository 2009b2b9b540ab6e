// The calling end: how the program's other commands find a running job and talk to it.

import Glibc
import ReplicaLink

/// A running job that can be talked to.
struct ControlCall: ~Copyable {
  /// Why a job was not reached, for the operator.
  struct Problem: Error, Sendable, CustomStringConvertible {
    let description: String
  }

  /// How long a job may take to answer a question, in milliseconds.
  static let answerMilliseconds: Int64 = 5_000
  /// A longer line is no answer.
  private static let lineBytesMax = 4 << 20

  /// The first answer of a job that was found: its status.
  let status: JSONValue
  private let socket: ControlSocket
  private var input: [UInt8]

  /// The name that the job says it has.
  var job: String { status["job"]?.text ?? "?" }

  /// Finds the one job that runs, or the one with this name.
  ///
  /// - Throws: when there is none, or several.
  static func find(
    _ name: String?, environment: (String) -> String?
  ) throws(Problem) -> ControlCall {
    var names: [String] = []
    var found: ControlCall?
    for path in try paths(environment) {
      guard let call = try? open(path) else { continue }
      guard name == nil || call.job == name else { continue }
      names.append(call.job)
      if names.count == 1 { found = consume call }
    }
    guard names.count <= 1 else {
      throw Problem(
        description: name == nil
          ? "\(names.count) jobs run here: \(names.joined(separator: ", ")) (name the one you mean)"
          : "\(names.count) runs of job \(name ?? "") are here (use the socket of the one you mean:"
            + " 'migr8sync status --log-format json')")
    }
    if let found { return found }
    let which = name.map { "no job \($0)" } ?? "no job"
    throw Problem(
      description:
        "\(which) of this user runs on this machine ('migr8sync jobs -d URL' lists what a"
        + " destination knows of)")
  }

  /// The status of every job that runs, and the path of its socket.
  static func all(
    environment: (String) -> String?
  ) throws(Problem) -> [(path: String, status: JSONValue)] {
    var found: [(String, JSONValue)] = []
    for path in try paths(environment) {
      guard let call = try? open(path) else { continue }
      found.append((path, call.status))
    }
    return found
  }

  private static func paths(_ environment: (String) -> String?) throws(Problem) -> [String] {
    try paths(in: ControlDirectory.candidates(environment))
  }

  /// The sockets there are. What dead processes have left is removed in passing.
  ///
  /// - Throws: when there is none, and a folder that cannot be used. Anybody can make one of that name in
  ///   /tmp; that must not hide what runs elsewhere.
  static func paths(in directories: [ControlDirectory]) throws(Problem) -> [String] {
    var found: [String] = []
    var problem: Problem?
    for directory in directories {
      do {
        found += try directory.sockets()
      } catch {
        problem = Problem(description: "\(error)")
      }
    }
    found = found.filter { path in
      guard ControlSocket.isStale(path) else { return true }
      unlink(path)
      return false
    }
    if found.isEmpty, let problem { throw problem }
    return found
  }

  private init(
    _ socket: consuming ControlSocket, status: JSONValue, input: [UInt8]
  ) {
    self.socket = socket
    self.status = status
    self.input = input
  }

  /// Connects, and asks how the job is doing.
  private static func open(_ path: String) throws(Problem) -> ControlCall {
    guard let socket = ControlSocket.connect(to: path) else {
      throw Problem(description: "nobody answers at \(path)")
    }
    var request = JSONObject()
    request.add("command", "status")
    let deadline = Clock.monotonicMilliseconds() + answerMilliseconds
    try send(request, socket, deadline)
    var input: [UInt8] = []
    let status = try receive(socket, &input, deadline)
    guard status["ok"]?.boolean == true else {
      throw Problem(description: status["error"]?.text ?? "the job does not say how it is doing")
    }
    return ControlCall(socket, status: status, input: input)
  }

  /// Asks, and takes the first line of the answer.
  mutating func ask(_ request: JSONObject) throws(Problem) -> JSONValue {
    try begin(request)
    return try next(milliseconds: Self.answerMilliseconds)
  }

  /// Asks, and takes nothing yet.
  func begin(_ request: JSONObject) throws(Problem) {
    try Self.send(request, socket, Clock.monotonicMilliseconds() + Self.answerMilliseconds)
  }

  /// The next line of the answer.
  mutating func next(milliseconds: Int64) throws(Problem) -> JSONValue {
    try Self.receive(socket, &input, Clock.monotonicMilliseconds() + milliseconds)
  }

  /// Whether a line of the answer comes in time, or the end of the conversation.
  func hasNext(milliseconds: Int64) -> Bool {
    if input.contains(10) { return true }
    return socket.wait(for: POLLIN, untilMilliseconds: Clock.monotonicMilliseconds() + milliseconds)
  }

  private static func send(
    _ request: JSONObject, _ socket: borrowing ControlSocket, _ deadline: Int64
  ) throws(Problem) {
    var output = Array((request.text + "\n").utf8)
    while !output.isEmpty {
      switch socket.send(output) {
      case .bytes(let count): output.removeFirst(count)
      case .wouldBlock where socket.wait(for: POLLOUT, untilMilliseconds: deadline): continue
      default: throw Problem(description: "the job takes no requests")
      }
    }
  }

  private static func receive(
    _ socket: borrowing ControlSocket, _ input: inout [UInt8], _ deadline: Int64
  ) throws(Problem) -> JSONValue {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      if let end = input.firstIndex(of: 10) {
        let line = Array(input[..<end])
        input.removeSubrange(...end)
        do {
          return try JSONValue(line)
        } catch {
          throw Problem(description: "the job's answer makes no sense: \(error)")
        }
      }
      guard input.count <= lineBytesMax else {
        throw Problem(description: "the job's answer has no end")
      }
      switch socket.receive(into: &buffer) {
      case .bytes(let count): input += buffer[..<count]
      case .ended: throw Problem(description: "the job has hung up: it ended, or was killed")
      case .wouldBlock:
        guard socket.wait(for: POLLIN, untilMilliseconds: deadline) else {
          throw Problem(description: "the job has not answered in time")
        }
      }
    }
  }
}
