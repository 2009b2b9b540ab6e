// The options of the commands that read RDB files: which entries, what becomes of them, and where to.

import ReplicaLink

extension OptionReader {
  /// The rules for entries of a file, all keys among those that `included` lets in.
  ///
  /// - Parameter source: the server that takes the file's place.
  func entryRules(
    included: KeyRules, otherPrefixes: [[UInt8]] = [], reserved: [[UInt8]] = [],
    source: RedisURL? = nil
  ) throws(UsageError) -> EntryRules {
    var rules = EntryRules()
    let databases: Set<Int>?
    if let source {
      databases = try self.databases(source: source)
    } else {
      databases = try self.databases()
    }
    rules.filter = KeyFilter(
      included: included, excluded: try excludedRules(), otherPrefixes: otherPrefixes,
      databases: databases, types: try types(), reserved: reserved)
    rules.expiring = try choiceIfGiven(.ttl)
    rules.expired = try choice(.expired)
    if arguments.has(.sizeMinimum) { rules.bytesMin = try bytes(.sizeMinimum) }
    if arguments.has(.sizeMaximum) { rules.bytesMax = try bytes(.sizeMaximum) }
    if rules.bytesMin > rules.bytesMax {
      throw UsageError(
        "--min-size is above --max-size: no key fits", at: arguments.origin(of: .sizeMinimum))
    }
    for limit in [rules.bytesMin, rules.bytesMax == .max ? 0 : rules.bytesMax]
    where limit > Self.sizeLimitMax {
      throw UsageError(
        "--min-size and --max-size go up to 1gb", at: arguments.origin(of: .sizeMinimum))
    }
    rules.now = Clock.wallMilliseconds()
    return rules
  }

  /// Values up to a limit of size are held in memory.
  private static let sizeLimitMax: UInt64 = 1 << 30

  /// The server that an output is for.
  func targetVersion() throws(UsageError) -> TargetVersion? {
    guard let text = try arguments.value(.targetVersion) else { return nil }
    guard let version = TargetVersion(text) else {
      throw wrong(.targetVersion, takes: "a version such as 7.2, redis-6.2 or valkey-8.1")
    }
    return version
  }

  /// The path that an option names; nil without it.
  func path(_ name: CommandOption.Name) throws(UsageError) -> String? {
    guard let path = try arguments.value(name) else { return nil }
    if path.isEmpty { throw wrong(name, takes: "the name of a file") }
    return path
  }

  /// Where what `extract` reads goes: into one server, or into files.
  func extractPlaces(
    _ format: ExtractFormatName
  ) throws(UsageError) -> ([ExtractOptions.Route], ExtractOptions.Server?) {
    let ofFiles: [CommandOption.Name] = [
      .output, .route, .splitByRule, .format, .targetVersion, .onUnsupported, .restore,
    ]
    let ofServer: [CommandOption.Name] = [.onConflict, .workers, .maximumRate]
    guard arguments.has(.destination) else {
      for name in ofServer where arguments.has(name) {
        throw UsageError(
          "\(arguments.command.option(name).longName) is about --dest",
          at: arguments.origin(of: name))
      }
      let map = try checked(try databaseMap() ?? DatabaseMap(), try databases())
      return (try fileRoutes(format, map), nil)
    }
    for name in ofFiles where arguments.has(name) {
      throw UsageError(
        "--dest and \(arguments.command.option(name).longName), which is about files; leave one of"
          + " them out", at: arguments.origin(of: name))
    }
    var url = try destination()
    try TLSArguments(arguments: arguments).complete(destination: &url)
    let map = try databaseMap(
      try databaseMap(), url, arguments.origin(of: .destination), try databases())
    let route = try fileRoutes(format, map)[0]
    let server = ExtractOptions.Server(
      url: url, mapping: route.mapping, onConflict: try choice(.onConflict),
      workers: try workers() ?? LoaderPool.defaultCount,
      maximumRate: try maximumRate(),
      timeouts: try timeouts())
    // What writes to the server maps names by itself.
    return ([ExtractOptions.Route(rules: route.rules, mapping: .identity)], server)
  }

  /// The outputs of `extract`: one, or one for each route.
  private func fileRoutes(
    _ format: ExtractFormatName, _ databases: DatabaseMap
  ) throws(UsageError) -> [ExtractOptions.Route] {
    let rewrites = try rewrites()
    let drafts = try fileDrafts(format)
    var routes: [ExtractOptions.Route] = []
    for draft in drafts {
      let others = drafts.filter { $0.path != draft.path }.flatMap { $0.rules.prefixes }
      let rules = try entryRules(
        included: draft.rules, otherPrefixes: drafts.count > 1 ? others : [],
        reserved: KeyMapping.reserved(by: rewrites))
      try checkExcluded(rules.filter)
      let mapping = KeyMapping(rules.filter, databases, rewrites: rewrites)
      if let collision = mapping.collision {
        throw UsageError(Self.text(collision), at: origin(ofRewrite: collision.rewrite))
      }
      routes.append(ExtractOptions.Route(path: draft.path, rules: rules, mapping: mapping))
    }
    return routes
  }

  private typealias Draft = (path: String?, rules: KeyRules)

  private func fileDrafts(_ format: ExtractFormatName) throws(UsageError) -> [Draft] {
    let output = try path(.output)
    if arguments.has(.splitByRule) { return try splitDrafts(output, format) }
    guard arguments.has(.route) else { return [(output, try includedRules())] }
    for name in [CommandOption.Name.output, .prefix, .match, .regex] where arguments.has(name) {
      throw UsageError(
        "\(arguments.command.option(name).longName) and --route; a route says itself which keys"
          + " go where", at: arguments.origin(of: name))
    }
    var paths: [(path: String, prefixes: [[UInt8]])] = []
    for value in arguments.all(.route) {
      guard let route = RouteText(try keyBytes(value, .route)), !route.url.isEmpty,
        !route.url.contains("://")
      else {
        throw UsageError(
          arguments.command.option(.route), takes: "PREFIX=FILE, a file and not a server",
          at: value.origin)
      }
      if paths.contains(where: { $0.prefixes.contains(route.prefix) }) {
        throw UsageError("--route sends the same keys to two files", at: value.origin)
      }
      if let same = paths.firstIndex(where: { $0.path == route.url }) {
        paths[same].prefixes.append(route.prefix)
      } else {
        paths.append((route.url, [route.prefix]))
      }
    }
    return paths.map { ($0.path, KeyRules(prefixes: $0.prefixes)) }
  }

  /// A file for each `--prefix`, in the folder that `--output` names.
  private func splitDrafts(
    _ folder: String?, _ format: ExtractFormatName
  ) throws(UsageError) -> [Draft] {
    for name in [CommandOption.Name.route, .match, .regex] where arguments.has(name) {
      throw UsageError(
        "\(arguments.command.option(name).longName) and --split-by-rule, which makes a file of each"
          + " --prefix; leave one of them out", at: arguments.origin(of: name))
    }
    guard let folder, folder != "-", arguments.has(.prefix) else {
      throw UsageError(
        "--split-by-rule needs --output, the folder to write to, and a --prefix for each file",
        at: arguments.origin(of: .splitByRule))
    }
    return try includedRules().prefixes.map { prefix in
      ("\(folder)/\(Self.fileName(prefix)).\(format.rawValue)", KeyRules(prefixes: [prefix]))
    }
  }

  /// A prefix as the name of a file: what is no letter, digit, `-`, `_` or `.` within as `%NN`.
  static func fileName(_ prefix: [UInt8]) -> String {
    var name = ""
    for (index, byte) in prefix.enumerated() {
      let character = Character(UnicodeScalar(byte))
      let isPlain =
        byte < 0x80 && (character.isLetter || character.isNumber || "-_".contains(character))
      name +=
        isPlain || (byte == UInt8(ascii: ".") && index > 0)
        ? String(character) : "%" + hexadecimal(byte)
    }
    return name
  }
}
