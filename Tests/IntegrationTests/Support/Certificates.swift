// Certificates of an authority that lives as long as a test, and servers that show them. The openssl
// command makes them: it knows nothing of the program under test.

import Glibc

/// An authority of the test's own and what it has signed, as files of one folder.
final class Certificates {
  let folder: String

  init() throws {
    folder = try makeTemporaryFolder()
    for name in ["ca", "stranger"] {
      try openssl(
        ["req", "-x509", "-subj", "/CN=\(name)", "-days", "30", "-out", path("\(name).crt")]
          + newKey(name))
    }
    try write(
      "[ca]\ndefault_ca=d\n[d]\ndatabase=\(path("index"))\nnew_certs_dir=\(folder)\nserial=\(path("serial"))\n"
        + "default_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\n", "ca.cnf")
    try write("", "index")
  }

  deinit {
    removeFolder(folder)
  }

  func path(_ name: String) -> String { folder + "/" + name }

  /// Makes NAME.crt and NAME.key.
  ///
  /// - Parameters:
  ///   - names: what the certificate is for, as `subjectAltName` has it.
  ///   - authority: who signs it, `ca` or `stranger`.
  func issue(
    _ name: String, names: String = "IP:127.0.0.1,DNS:localhost", authority: String = "ca",
    isExpired: Bool = false
  ) throws {
    try openssl(
      ["req", "-new", "-subj", "/CN=\(name)", "-out", path("\(name).csr")] + newKey(name))
    try write("subjectAltName=\(names)\nbasicConstraints=CA:FALSE\n", "\(name).ext")
    let dates =
      isExpired
      ? ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"] : ["-days", "30"]
    try openssl(
      [
        "ca", "-config", path("ca.cnf"), "-batch", "-notext", "-rand_serial",
        "-cert", path("\(authority).crt"), "-keyfile", path("\(authority).key"),
        "-in", path("\(name).csr"), "-out", path("\(name).crt"), "-extfile", path("\(name).ext"),
      ] + dates)
  }

  /// Writes a copy of NAME.key that a password protects, as NAME-protected.key.
  func protectKey(_ name: String, password: String) throws {
    try openssl([
      "pkey", "-in", path("\(name).key"), "-aes256", "-passout", "pass:\(password)", "-out",
      path("\(name)-protected.key"),
    ])
  }

  /// Writes NAME.crt and NAME.key into one file, NAME.pem.
  func combine(_ name: String) throws {
    let script = "cat \(path("\(name).crt")) \(path("\(name).key")) > \(path("\(name).pem"))"
    try Subprocess("sh", ["-c", script]).wait(seconds: 30)
  }

  func write(_ text: String, _ name: String) throws {
    guard let file = fopen(path(name), "w") else { throw TestFailure("cannot write \(name)") }
    fputs(text, file)
    fclose(file)
  }

  private func newKey(_ name: String) -> [String] {
    [
      "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
      path("\(name).key"),
    ]
  }

  private func openssl(_ arguments: [String]) throws {
    let process = try Subprocess("openssl", arguments)
    guard try process.wait(seconds: 60) == 0 else {
      throw TestFailure("openssl \(arguments[0]): \(process.standardError)")
    }
  }
}

/// A server that speaks TLS on one port and shows a certificate; on its other port it speaks as ever,
/// for the test's own look at it.
struct TLSServer {
  let server: TestServer
  let port: Int

  /// - Parameter wantsClients: whether a client must show a certificate of the authority too.
  init(
    _ certificates: Certificates, shows name: String, wantsClients: Bool = false,
    _ options: [String] = []
  ) throws {
    let port = try freePort()
    self.port = port
    server = try TestServer(
      .redis70,
      [
        "--tls-port", "\(port)", "--tls-cert-file", certificates.path("\(name).crt"),
        "--tls-key-file", certificates.path("\(name).key"),
        "--tls-ca-cert-file", certificates.path("ca.crt"),
        "--tls-auth-clients", wantsClients ? "yes" : "no",
      ] + options)
  }

  var url: String { url() }

  func url(host: String = "127.0.0.1", login: String = "") -> String {
    "rediss://\(login)\(host):\(port)"
  }
}
