// The options of TLS: each is for both sides, or under another name for one of them. What is found
// here goes into the URL of its side, so that whoever connects there need not know of it.

import ReplicaLink

/// The names of the five options, for both sides or for one.
struct TLSOptionNames: Sendable {
  let authorities: CommandOption.Name
  let certificate: CommandOption.Name
  let key: CommandOption.Name
  let serverName: CommandOption.Name
  let insecure: CommandOption.Name

  static let both = TLSOptionNames(
    authorities: .tlsAuthorities, certificate: .tlsCertificate, key: .tlsKey,
    serverName: .tlsServerName, insecure: .tlsInsecure)
  static let source = TLSOptionNames(
    authorities: .sourceTLSAuthorities, certificate: .sourceTLSCertificate, key: .sourceTLSKey,
    serverName: .sourceTLSServerName, insecure: .sourceTLSInsecure)
  static let destination = TLSOptionNames(
    authorities: .destinationTLSAuthorities, certificate: .destinationTLSCertificate,
    key: .destinationTLSKey, serverName: .destinationTLSServerName,
    insecure: .destinationTLSInsecure)

  fileprivate var all: [CommandOption.Name] {
    [authorities, certificate, key, serverName, insecure]
  }
}

/// Reads the options of TLS and puts them into the URLs.
struct TLSArguments {
  let arguments: ScannedArguments

  /// Completes both URLs. The files are read once, so that what is wrong with them is known now.
  ///
  /// - Throws: also when an option of TLS is given for a URL that does not ask for TLS: whoever means
  ///   to be safe must not be sent over the wire in the clear.
  func complete(
    source: inout RedisURL, destination: inout RedisURL
  ) throws(UsageError) {
    if let option = given(.both), !source.usesTLS, !destination.usesTLS {
      throw UsageError("\(option) is for TLS; one of the URLs must begin with rediss://")
    }
    try complete(&source, of: .source, .source)
    try complete(&destination, of: .destination, .destination)
  }

  private func complete(
    _ url: inout RedisURL, of side: CommandOption.Name, _ names: TLSOptionNames
  ) throws(UsageError) {
    guard url.usesTLS else {
      guard let option = given(names) else { return }
      throw UsageError(
        "\(option) is for TLS; the URL of \(longName(side)) must begin with rediss://")
    }
    var options = TLSOptions()
    let trusts = [names, .both].first {
      arguments.has($0.authorities) || arguments.has($0.insecure)
    }
    if let trusts { try read(trusts, into: &options) }
    let identity = [names, .both].first { arguments.has($0.certificate) || arguments.has($0.key) }
    if let identity { try read(identity: identity, into: &options) }
    let naming = [names, .both].first { arguments.has($0.serverName) }
    options.serverName = try naming.flatMap { (names) throws(UsageError) in
      try value(names.serverName, takes: "a host name")
    }
    do throws(TLSOptionsError) {
      try options.check()
    } catch {
      let name: CommandOption.Name =
        switch error.part {
        case .authorities: trusts?.authorities ?? side
        case .certificate: identity?.certificate ?? side
        case .key: identity?.key ?? side
        case .library: side
        }
      let subject = name == side ? "rediss:// cannot be used: " : ""
      throw UsageError("\(longName(name)): \(subject)\(error.problem)")
    }
    url.tls = options
  }

  private func read(_ names: TLSOptionNames, into options: inout TLSOptions) throws(UsageError) {
    options.authoritiesFile = try value(names.authorities, takes: "the path of a file")
    options.verifiesServer = !arguments.has(names.insecure)
    if !options.verifiesServer, options.authoritiesFile != nil {
      throw UsageError(
        "\(longName(names.insecure)) trusts everybody, \(longName(names.authorities)) only some; "
          + "leave one of them out")
    }
  }

  private func read(
    identity names: TLSOptionNames, into options: inout TLSOptions
  ) throws(UsageError) {
    options.certificateFile = try value(names.certificate, takes: "the path of a file")
    options.keyFile = try value(names.key, takes: "the path of a file")
    if options.certificateFile == nil {
      throw UsageError(
        "\(longName(names.key)) needs its certificate; add \(longName(names.certificate))")
    }
  }

  private func value(
    _ name: CommandOption.Name, takes expected: String
  ) throws(UsageError) -> String? {
    guard let value = arguments.value(name) else { return nil }
    if value.isEmpty { throw UsageError(arguments.command.option(name), takes: expected) }
    return value
  }

  /// The first of the options that was given.
  private func given(_ names: TLSOptionNames) -> String? {
    names.all.first { arguments.has($0) }.map(longName)
  }

  private func longName(_ name: CommandOption.Name) -> String {
    arguments.command.option(name).longName
  }
}
