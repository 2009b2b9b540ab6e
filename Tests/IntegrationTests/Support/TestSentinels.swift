// Three real sentinels that watch masters of a test. They are quick to suspect: three seconds of
// silence.

import Glibc

final class TestSentinels {
  /// The ports of the sentinels.
  let ports: [Int]
  private let processes: [Subprocess]
  private let password: String?

  /// Starts them and waits until each knows the other two, and every replica that the masters name.
  init(
    _ kind: ServerKind = .redis70, watching masters: [String: TestServer], password: String? = nil
  ) throws {
    guard let folder = masters.values.first?.folder else { throw TestFailure("nothing to watch") }
    var ports: [Int] = []
    var processes: [Subprocess] = []
    while processes.count < 3 {
      let port = try freePort()
      let path = "\(folder)/sentinel-\(port)"
      try Self.write(Self.configuration(port, folder, masters, password), to: path)
      let process = try Subprocess(kind.program, [path, "--sentinel"])
      var isUp = false
      try awaitCondition("a sentinel to answer") {
        isUp = (try? Self.client(port, password)("PING").text) == "PONG"
        return isUp || !process.isRunning
      }
      if !isUp && process.standardOutput.contains("Address already in use") { continue }
      guard isUp else { throw TestFailure("no sentinel:\n\(process.standardOutput)") }
      ports.append(port)
      processes.append(process)
    }
    self.ports = ports
    self.processes = processes
    self.password = password
    for (name, master) in masters {
      let replicas = try master.client().info("replication")["connected_slaves"] ?? ""
      for port in ports {
        let client = try Self.client(port, password)
        try awaitCondition("the sentinels to know \(name)") {
          let fields = Self.fields(try client("SENTINEL", "master", name))
          return fields["num-other-sentinels"] == "2" && fields["num-slaves"] == replicas
            && fields["flags"] == "master"
        }
      }
    }
  }

  /// `redis+sentinel://` with all of them.
  func url(_ master: String) -> String {
    "redis+sentinel://" + ports.map { "127.0.0.1:\($0)" }.joined(separator: ",") + "/\(master)"
  }

  /// The port of the master, as each of them says.
  func masterPorts(_ name: String) throws -> [Int?] {
    try ports.map { port in
      let answer = try Self.client(port, password)("SENTINEL", "get-master-addr-by-name", name)
      return answer.elements.last.flatMap { Int($0.text) }
    }
  }

  /// What the first of them knows of the replicas: their fields by `host:port`.
  func replicas(of name: String) throws -> [String: [String: String]] {
    let entries = try Self.client(ports[0], password)("SENTINEL", "replicas", name).elements
    return Dictionary(
      entries.map { Self.fields($0) }.map { ($0["name"] ?? "", $0) },
      uniquingKeysWith: { first, _ in first })
  }

  /// Waits until they all name `server` as the master, and it is one.
  func awaitFailover(of name: String, to server: TestServer) throws {
    try awaitCondition("the failover of \(name)", seconds: 90) {
      try masterPorts(name).allSatisfy { $0 == server.port }
        && server.client().info("replication")["role"] == "master"
    }
  }

  /// Demotes a master that is alive, and waits for `server` to be the new one.
  func failOver(_ name: String, to server: TestServer) throws {
    // A replica that was just attached is no good one before its first sign of life.
    try awaitCondition("Sentinel to find a good replica") {
      try Self.client(ports[0], password).reply(to: "SENTINEL", "FAILOVER", name) == .status("OK")
    }
    try awaitFailover(of: name, to: server)
  }

  /// Everything they have said.
  var logs: String { processes.map(\.standardOutput).joined() }

  private static func client(_ port: Int, _ password: String?) throws -> TestClient {
    let client = try TestClient(port: port)
    if let password { try client("AUTH", password) }
    return client
  }

  private static func configuration(
    _ port: Int, _ folder: String, _ masters: [String: TestServer], _ password: String?
  ) -> String {
    var lines = ["port \(port)", "bind 127.0.0.1", "dir \(folder)"]
    if let password { lines += ["requirepass \(password)", "sentinel sentinel-pass \(password)"] }
    for (name, master) in masters {
      lines += [
        "sentinel monitor \(name) 127.0.0.1 \(master.port) 2",
        "sentinel down-after-milliseconds \(name) 3000",
        "sentinel failover-timeout \(name) 6000",
      ]
    }
    return lines.map { $0 + "\n" }.joined()
  }

  private static func fields(_ reply: Reply) -> [String: String] {
    let words = reply.elements.map(\.text)
    var fields: [String: String] = [:]
    for index in stride(from: 0, to: words.count - 1, by: 2) {
      fields[words[index]] = words[index + 1]
    }
    return fields
  }

  private static func write(_ text: String, to path: String) throws {
    guard let file = fopen(path, "w") else { throw TestFailure("cannot write \(path)") }
    fputs(text, file)
    fclose(file)
  }
}
