// The other end of a TLS connection: the openssl command as a server that a test types into and reads
// from, with a certificate that it has signed itself.

import Foundation

@testable import ReplicaLink

/// A running `openssl s_server` with one client at a time.
final class TLSPeer {
  static let isPresent = program != nil
  private static let program: String? = {
    let folders = ProcessInfo.processInfo.environment["PATH"]?.split(separator: ":") ?? []
    return folders.map { "\($0)/openssl" }.first {
      FileManager.default.isExecutableFile(atPath: $0)
    }
  }()

  let port: UInt16
  let identity: TLSCertificate
  private let process = Process()
  private let keyboard = Pipe()
  private let screen = Pipe()

  /// Starts it and waits until it listens.
  init(_ options: [String] = []) throws {
    identity = try TLSCertificate()
    port = try FakeMaster().port
    process.executableURL = URL(filePath: Self.program ?? "openssl")
    process.arguments =
      [
        "s_server", "-accept", "127.0.0.1:\(port)", "-cert", identity.certificate, "-key",
        identity.key,
      ] + options
    process.standardInput = keyboard
    process.standardOutput = screen
    process.standardError = FileHandle.nullDevice
    try process.run()
    _ = try read(until: "ACCEPT")
  }

  deinit {
    if process.isRunning { end() }
  }

  /// Ends it at once, as a crash would.
  func end() {
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  /// Types into it. Alone on a line, `K` asks for new keys on both sides, `Q` ends it.
  func type(_ text: String) throws {
    try keyboard.fileHandleForWriting.write(contentsOf: Data(text.utf8))
  }

  /// Reads what it prints until `text` has come. It prints what its client sends.
  func read(until text: String) throws -> String {
    var printed = ""
    while !printed.contains(text) {
      let descriptor = screen.fileHandleForReading.fileDescriptor
      var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      guard poll(&request, 1, Int32(FakeMaster.patienceMilliseconds)) == 1 else {
        throw PlayError(description: "s_server does not print '\(text)': \(printed)")
      }
      let data = screen.fileHandleForReading.availableData
      guard !data.isEmpty else { throw PlayError(description: "s_server ended: \(printed)") }
      printed += String(decoding: data, as: UTF8.self)
    }
    return printed
  }

  /// Connects to it, trusting its certificate.
  func connect(interrupt: WakePipe? = nil) throws -> Socket {
    try Socket.connect(
      to: .tcp(host: "127.0.0.1", port: port), tls: identity.trusting,
      timeoutMilliseconds: FakeMaster.patienceMilliseconds, interrupt: interrupt)
  }
}

/// A certificate for 127.0.0.1 that is signed by itself, and its key.
final class TLSCertificate {
  private let folder: TemporaryFolder
  var certificate: String { folder.path + "/certificate" }
  var key: String { folder.path + "/key" }
  var trusting: TLSOptions {
    var options = TLSOptions()
    options.authoritiesFile = certificate
    return options
  }

  init() throws {
    folder = try TemporaryFolder()
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [
      "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
      "-subj", "/CN=peer", "-addext", "subjectAltName=IP:127.0.0.1,IP:::1", "-keyout", key, "-out",
      certificate,
    ]
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw PlayError(description: "openssl makes no certificate")
    }
  }
}
