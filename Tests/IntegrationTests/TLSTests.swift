// TLS on both sides, against servers that really speak it: whole runs, who may connect to whom, and
// the one line that each way of failing gets.

import Glibc
import ReplicaLink
import Testing

@Suite(
  "Servers that speak TLS", .ownThread,
  .enabled(if: TLSOptions.isAvailable, "this build has no OpenSSL"))
struct TLSTests {
  @Test func aRunIsAsExactAsWithoutTLS() throws {
    let certificates = try Certificates()
    try certificates.issue("server")
    let source = try TLSServer(certificates, shows: "server")
    let destination = try TLSServer(certificates, shows: "server")
    try SampleData.fill(source.server)
    let writer = try source.server.client()
    let value = SampleData.noise(20 << 20)
    try writer("SET", "bump:twenty", value)
    let native = try NativeReplica(of: source.server)
    let application = try Application(to: source.server, seed: .random(in: 1...1_000_000))

    let tool = try Tool.start([
      "sync", "-s", source.url, "-d", destination.url(host: "localhost"), "-p", "bump:",
      "--tls-ca", certificates.path("ca.crt"),
    ])
    try source.server.awaitToolFollowing(tool, besides: [native.server.port])
    try writer("SET", "bump:later", value)
    try writer("APPEND", "bump:twenty", value)
    try application.awaitCommands(10_000)
    try application.stop()
    try source.server.awaitToolInSync(tool, besides: [native.server.port])
    tool.send(signal: SIGINT)
    let result = try Tool.finish(tool)
    #expect(result.exitCode == 5, "\(result)")

    try native.promote()
    try expectEqual(
      destination.server, to: native.server, prefixes: [Application.inside], afterStream: true)
  }

  /// A destination that takes nothing for a while: every kind of half-finished write and read.
  @Test func aFrozenDestinationLosesNothing() throws {
    let certificates = try Certificates()
    try certificates.issue("server")
    let source = try TLSServer(certificates, shows: "server")
    let destination = try TLSServer(certificates, shows: "server")
    let tool = try Tool.start([
      "sync", "-s", source.url, "-d", destination.url, "--tls-ca", certificates.path("ca.crt"),
    ])
    try source.server.awaitToolFollowing(tool)
    destination.server.freeze()
    let writer = try source.server.client()
    let value = SampleData.noise(100_000)
    for round in 0..<100 {
      _ = try writer.pipeline([
        ["SET", "\(round)", value], ["INCR", "n"], ["APPEND", "0", value],
      ])
    }
    destination.server.thaw()
    try source.server.awaitToolInSync(tool)
    tool.send(signal: SIGINT)
    #expect(try Tool.finish(tool).exitCode == 5)
    try expectEqual(destination.server, to: source.server, afterStream: true)
  }

  // MARK: - Who is who

  @Test func theSystemsAuthoritiesAreTrustedAndNoOthers() throws {
    let run = try Pair()
    let known = try run.tool([], environment: ["SSL_CERT_FILE": run.certificates.path("ca.crt")])
    #expect(known.exitCode == 0, "\(known)")
    expectLine(
      try run.tool([]), code: 1,
      saying: [":\(run.source.port)", "authority that is not trusted here", "--tls-ca"])
    let stranger = ["--tls-ca", run.certificates.path("stranger.crt")]
    expectLine(try run.tool(stranger), code: 1, saying: ["authority that is not trusted here"])
    let insecure = try run.tool(["--tls-insecure", "--on-conflict", "replace"])
    #expect(insecure.exitCode == 0, "\(insecure)")
  }

  @Test func anExpiredCertificateIsNamed() throws {
    let run = try Pair { try $0.issue("server", isExpired: true) }
    expectLine(
      try run.tool(run.trusting), code: 1, saying: [":\(run.source.port)", "expired", "renew"])
    let result = try run.tool(["--source-tls-insecure"])
    #expect(result.exitCode == 0, "\(result)")
  }

  /// By name and by address; and the name that is given apart is what the certificate must have.
  @Test func theCertificateMustBeForTheHost() throws {
    let run = try Pair { try $0.issue("server", names: "DNS:redis.example") }
    expectLine(
      try run.tool(run.trusting), code: 1, saying: ["not for 127.0.0.1", "--tls-sni"])
    expectLine(
      try run.tool(run.trusting, host: "localhost"), code: 1, saying: ["not for localhost"])
    expectLine(
      try run.tool(run.trusting + ["--tls-sni", "other.example"]), code: 1,
      saying: ["not for other.example"])
    for option in ["--tls-sni", "--source-tls-sni"] {
      let result = try run.tool(
        run.trusting + [option, "redis.example", "--on-conflict", "replace"])
      #expect(result.exitCode == 0, "\(result)")
    }
  }

  @Test func anIPv6AddressIsCheckedToo() throws {
    let run = try Pair(["--bind", "127.0.0.1", "::1"]) { try $0.issue("server", names: "IP:::1") }
    let result = try run.tool(run.trusting, host: "[::1]")
    #expect(result.exitCode == 0, "\(result)")
    expectLine(try run.tool(run.trusting), code: 1, saying: ["not for 127.0.0.1"])
  }

  @Test func theDestinationIsCheckedAsTheSourceIs() throws {
    let certificates = try Certificates()
    try certificates.issue("server", isExpired: true)
    let source = try TestServer()
    let destination = try TLSServer(certificates, shows: "server", wantsClients: true)
    let trusting = ["--dest-tls-ca", certificates.path("ca.crt")]
    let ends = ["sync", "--once", "-s", source.url, "-d", destination.url]
    expectLine(
      try Tool.run(ends + trusting), code: 1, saying: [":\(destination.port)", "expired"])
    expectLine(
      try Tool.run(ends + ["--dest-tls-insecure"]), code: 1,
      saying: [":\(destination.port)", "client certificate", "--tls-cert"])
    expectLine(try Tool.run(ends + ["--source-tls-insecure"]), code: 2, saying: ["--source must"])
  }

  @Test(arguments: ["TLSv1.2", "TLSv1.3"])
  func aServerMayWantToKnowItsClients(version: String) throws {
    let run = try Pair(wantsClients: true, ["--tls-protocols", version]) {
      try $0.issue("server")
      try $0.issue("client", names: "DNS:client")
      try $0.combine("client")
      try $0.issue("old", names: "DNS:client", isExpired: true)
      try $0.issue("foreign", names: "DNS:client", authority: "stranger")
    }
    func shows(_ name: String) -> [String] {
      run.trusting + [
        "--tls-cert", run.certificates.path("\(name).crt"), "--tls-key",
        run.certificates.path("\(name).key"),
      ]
    }
    expectLine(try run.tool(run.trusting), code: 1, saying: ["client certificate", "--tls-cert"])
    expectLine(try run.tool(shows("old")), code: 1, saying: ["client certificate", "expired"])
    expectLine(
      try run.tool(shows("foreign")), code: 1, saying: ["client certificate", "unknown there"])
    let pair = try run.tool(shows("client"))
    #expect(pair.exitCode == 0, "\(pair)")
    let combined = ["--source-tls-cert", run.certificates.path("client.pem")]
    let one = try run.tool(run.trusting + combined + ["--on-conflict", "replace"])
    #expect(one.exitCode == 0, "\(one)")
  }

  /// Each side by itself, through the options for one side.
  @Test func theTwoSidesMayTrustDifferently() throws {
    let certificates = try Certificates()
    try certificates.issue("server")
    try certificates.issue("other", authority: "stranger")
    let source = try TLSServer(certificates, shows: "server")
    let destination = try TLSServer(certificates, shows: "other")
    try source.server.client()("SET", "key", "value")
    let result = try Tool.run([
      "sync", "--once", "-s", source.url, "-d", destination.url,
      "--tls-ca", certificates.path("ca.crt"), "--dest-tls-ca", certificates.path("stranger.crt"),
    ])
    #expect(result.exitCode == 0, "\(result)")
    #expect(try destination.server.client()("GET", "key").text == "value")
  }

  // MARK: - Who speaks what

  @Test func aServerThatDoesNotSpeakTLS() throws {
    let plain = try TestServer()
    let mute = ["sync", "-d", plain.url, "--tls-insecure", "--connect-timeout", "300ms", "-s"]
    expectLine(
      try Tool.run(mute + ["rediss://:secret@127.0.0.1:\(plain.port)"]), code: 1,
      saying: ["\(plain.port)", "TLS handshake", "does the server speak TLS", "redis://"])
    let talker = try Impostor(answering: "-ERR what is this?\r\n")
    let loud = ["sync", "-d", plain.url, "--tls-insecure", "-s"]
    expectLine(
      try Tool.run(loud + ["rediss://127.0.0.1:\(talker.port)"]), code: 1,
      saying: ["\(talker.port)", "does not speak TLS", "use redis://"])
  }

  @Test func aServerThatSpeaksOnlyTLS() throws {
    let certificates = try Certificates()
    try certificates.issue("server")
    let server = try TLSServer(certificates, shows: "server")
    let plain = try TestServer()
    for login in ["", ":secret@"] {
      let result = try Tool.run([
        "sync", "-s", "redis://\(login)127.0.0.1:\(server.port)", "-d", plain.url,
      ])
      expectLine(result, code: 1, saying: ["\(server.port)", "use rediss://"])
      #expect(!"\(result)".contains("secret"))
    }
  }

  // MARK: - Files

  @Test func filesThatCannotBeUsedAreFoundBeforeAnythingIsContacted() throws {
    let certificates = try Certificates()
    try certificates.issue("one")
    try certificates.issue("two")
    try certificates.protectKey("one", password: "Tr0ub4dor")
    try certificates.write("not a certificate\n", "text")
    func expectRefusal(_ options: [(String, String)], _ words: String...) throws {
      let result = try Tool.run(
        ["sync", "-s", "rediss://:Tr0ub4dor@127.0.0.1:1", "-d", "redis://127.0.0.1:1"]
          + options.flatMap { [$0.0, certificates.path($0.1)] })
      expectLine(result, code: 2, saying: words)
      #expect(!"\(result)".contains("Tr0ub4dor") && !"\(result)".contains("PRIVATE"))
    }
    let one = ("--tls-cert", "one.crt")
    try expectRefusal([("--tls-ca", "none")], "--tls-ca: ", "no such file")
    try expectRefusal([("--tls-ca", "text")], "--tls-ca: ", "no certificate in PEM")
    try expectRefusal([("--source-tls-ca", "text")], "--source-tls-ca: ", "no certificate in PEM")
    try expectRefusal([("--tls-cert", "text")], "--tls-cert: ", "no certificate in PEM")
    try expectRefusal([one], "--tls-cert: ", "no private key in PEM")
    try expectRefusal([one, ("--tls-key", "none")], "--tls-key: ", "no such file")
    try expectRefusal([one, ("--tls-key", "text")], "--tls-key: ", "no private key in PEM")
    try expectRefusal(
      [one, ("--tls-key", "two.key")], "--tls-key: ", "not that of the certificate")
    try expectRefusal(
      [one, ("--tls-key", "one-protected.key")], "--tls-key: ", "protected by a password",
      "openssl pkey")
  }

  /// A source over TLS with one key, and a destination without TLS.
  private struct Pair {
    let certificates: Certificates
    let source: TLSServer
    let destination: TestServer

    init(
      wantsClients: Bool = false, _ options: [String] = [],
      issue: (Certificates) throws -> Void = { try $0.issue("server") }
    ) throws {
      certificates = try Certificates()
      try issue(certificates)
      source = try TLSServer(certificates, shows: "server", wantsClients: wantsClients, options)
      destination = try TestServer()
      try source.server.client()("SET", "key", "value")
      try source.server.client()("CONFIG", "SET", "requirepass", "Tr0ub4dor")
    }

    var trusting: [String] { ["--tls-ca", certificates.path("ca.crt")] }

    /// Runs to the end. No run, however it ends, shows the password.
    func tool(
      _ options: [String], host: String = "127.0.0.1", environment: [String: String] = [:]
    ) throws -> ToolResult {
      let url = source.url(host: host, login: ":Tr0ub4dor@")
      let result = try Tool.run(
        ["sync", "--once", "-s", url, "-d", destination.url] + options, environment: environment)
      #expect(!"\(result)".contains("Tr0ub4dor"))
      if result.exitCode == 0 {
        #expect(try destination.client()("GET", "key").text == "value")
      }
      return result
    }
  }
}
