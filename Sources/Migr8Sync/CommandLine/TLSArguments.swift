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

  /// Completes all URLs. The files are read once, so that what is wrong with them is known now.
  ///
  /// - Parameter side: the option that the destinations come from.
  /// - Throws: also when an option of TLS is given for URLs that do not ask for TLS: whoever means to
  ///   be safe must not be sent over the wire in the clear.
  func complete(
    source: inout RedisURL, destinations: inout [RedisURL], by side: CommandOption.Name
  ) throws(UsageError) {
    if let name = given(.both), !source.usesTLS, !destinations.contains(where: \.usesTLS) {
      throw UsageError(
        "\(longName(name)) is for TLS; one of the URLs must begin with rediss://",
        at: arguments.origin(of: name))
    }
    try refuse(.source, unless: source.usesTLS, .source)
    try complete(&source, of: .source, .source)
    try refuse(.destination, unless: destinations.contains(where: \.usesTLS), side)
    for index in destinations.indices {
      try complete(&destinations[index], of: side, .destination)
    }
  }

  /// Completes the one URL of a command that talks to a destination alone.
  func complete(destination: inout RedisURL) throws(UsageError) {
    try refuse(.both, unless: destination.usesTLS, .destination)
    try refuse(.destination, unless: destination.usesTLS, .destination)
    try complete(&destination, of: .destination, .destination)
  }

  private func refuse(
    _ names: TLSOptionNames, unless isUsed: Bool, _ side: CommandOption.Name
  ) throws(UsageError) {
    guard !isUsed, let name = given(names) else { return }
    throw UsageError(
      "\(longName(name)) is for TLS; the URL of \(longName(side)) must begin with rediss://",
      at: arguments.origin(of: name))
  }

  private func complete(
    _ url: inout RedisURL, of side: CommandOption.Name, _ names: TLSOptionNames
  ) throws(UsageError) {
    guard url.usesTLS else { return }
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
      throw UsageError(
        "\(longName(name)): \(subject)\(error.problem)", at: arguments.origin(of: name))
    }
    url.tls = options
  }

  private func read(_ names: TLSOptionNames, into options: inout TLSOptions) throws(UsageError) {
    options.authoritiesFile = try value(names.authorities, takes: "the path of a file")
    options.verifiesServer = !arguments.has(names.insecure)
    if !options.verifiesServer, options.authoritiesFile != nil {
      throw UsageError(
        "\(longName(names.insecure)) trusts everybody, \(longName(names.authorities)) only some; "
          + "leave one of them out", at: arguments.origin(of: names.insecure))
    }
  }

  private func read(
    identity names: TLSOptionNames, into options: inout TLSOptions
  ) throws(UsageError) {
    options.certificateFile = try value(names.certificate, takes: "the path of a file")
    options.keyFile = try value(names.key, takes: "the path of a file")
    if options.certificateFile == nil {
      throw UsageError(
        "\(longName(names.key)) needs its certificate; add \(longName(names.certificate))",
        at: arguments.origin(of: names.key))
    }
  }

  private func value(
    _ name: CommandOption.Name, takes expected: String
  ) throws(UsageError) -> String? {
    guard let value = try arguments.value(name) else { return nil }
    if value.isEmpty {
      throw UsageError(
        arguments.command.option(name), takes: expected, at: arguments.origin(of: name))
    }
    return value
  }

  /// The first of the options that was given.
  private func given(_ names: TLSOptionNames) -> CommandOption.Name? {
    names.all.first { arguments.has($0) }
  }

  private func longName(_ name: CommandOption.Name) -> String {
    arguments.command.option(name).longName
  }
}
