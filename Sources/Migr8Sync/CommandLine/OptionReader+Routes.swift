// Where keys go: one destination with `--dest`, or several with `--route PREFIX=URL`.
//
// Of several routes that fit a key the one with the longest prefix has it, in whatever order they were
// given; an empty prefix has the rest. Routes to the same place become one.

import ReplicaLink

/// The two sides of a route, `PREFIX=URL`.
struct RouteText {
  let prefix: [UInt8]
  let url: String

  /// Takes a route apart; nil where it is none. In the URL a '=' is a '='.
  init?(_ bytes: [UInt8]) {
    let parts = EqualsText.split(bytes, maxSplits: 1)
    guard parts.count == 2, let prefix = EqualsText.unescaped(parts[0]),
      let url = String(validating: parts[1], as: UTF8.self)
    else { return nil }
    self.prefix = prefix
    self.url = url
  }
}

extension OptionReader {
  /// One destination with the prefixes that go there.
  private struct Draft {
    var destination: RedisURL
    var prefixes: [[UInt8]]
    let origin: OptionValue.Origin
  }

  /// The routes; one without `--route`.
  func routes(source: inout RedisURL) throws(UsageError) -> [Route] {
    var drafts = try drafts()
    var urls = drafts.map(\.destination)
    try TLSArguments(arguments: arguments).complete(
      source: &source, destinations: &urls, by: arguments.has(.route) ? .route : .destination)
    for index in drafts.indices { drafts[index].destination = urls[index] }

    let databases = try databases(source: source)
    let map = try databaseMap()
    let rewrites = try rewrites()
    let excluded = try excludedRules()
    let types = try types()
    var routes: [Route] = []
    for draft in drafts {
      let others = drafts.filter { $0.prefixes != draft.prefixes }.flatMap(\.prefixes)
      let included =
        arguments.has(.route) ? KeyRules(prefixes: draft.prefixes) : try includedRules()
      let filter = KeyFilter(
        included: included, excluded: excluded, otherPrefixes: others, databases: databases,
        types: types, reserved: KeyMapping.reserved(by: rewrites))
      let map = try databaseMap(map, draft.destination, draft.origin, databases)
      routes.append(
        Route(
          destination: draft.destination,
          mapping: KeyMapping(filter, map, rewrites: rewrites)))
    }
    try check(routes)
    return routes
  }

  private func drafts() throws(UsageError) -> [Draft] {
    guard arguments.has(.route) else {
      let origin = arguments.origin(of: .destination)
      return [Draft(destination: try destination(), prefixes: [], origin: origin)]
    }
    if arguments.has(.destination) {
      throw UsageError(
        "--dest and --route; leave one of them out (--route '=URL' takes every key that no other"
          + " route takes)", at: arguments.origin(of: .destination))
    }
    for name in [CommandOption.Name.prefix, .match, .regex] where arguments.has(name) {
      throw UsageError(
        "\(arguments.command.option(name).longName) and --route; a route says itself which keys"
          + " it takes", at: arguments.origin(of: name))
    }
    var drafts: [Draft] = []
    var prefixes: Set<[UInt8]> = []
    for value in arguments.all(.route) {
      let (prefix, url) = try route(value)
      guard prefixes.insert(prefix).inserted else {
        throw UsageError(
          "--route sends the same keys to two destinations; for two copies run two jobs",
          at: value.origin)
      }
      guard let same = drafts.firstIndex(where: { Self.isSame($0.destination, url) }) else {
        drafts.append(Draft(destination: url, prefixes: [prefix], origin: value.origin))
        continue
      }
      let (one, other) = (drafts[same].destination.credentials, url.credentials)
      guard one?.user == other?.user, one?.password == other?.password else {
        throw UsageError(
          "--route logs in to one destination in two ways; give both the same user and password",
          at: value.origin)
      }
      drafts[same].prefixes.append(prefix)
    }
    return try completePasswords(drafts)
  }

  private func route(_ value: OptionValue) throws(UsageError) -> (prefix: [UInt8], url: RedisURL) {
    let bytes = try keyBytes(value, .route)
    guard let route = RouteText(bytes) else {
      throw UsageError(
        arguments.command.option(.route),
        takes: "PREFIX=URL, with \\= for a '=' and \\\\ for a backslash of the prefix",
        at: value.origin)
    }
    if route.prefix.last == UInt8(ascii: "*") {
      throw UsageError(
        "the prefix of --route is taken literally; leave the '*' at its end out", at: value.origin)
    }
    return (route.prefix, try url(route.url, .route, value.origin))
  }

  private static func isSame(_ one: RedisURL, _ other: RedisURL) -> Bool {
    one.endpoint == other.endpoint && one.database == other.database
      && one.usesTLS == other.usesTLS
  }

  private func completePasswords(_ drafts: [Draft]) throws(UsageError) -> [Draft] {
    let path = try arguments.value(.destinationPasswordFile)
    if path != nil, drafts.allSatisfy(\.destination.holdsPassword) {
      throw UsageError(
        "--dest-password-file and passwords in the URLs of every --route; leave one of them out",
        at: arguments.origin(of: .destinationPasswordFile))
    }
    var completed = drafts
    for index in completed.indices {
      let needsFile = !completed[index].destination.holdsPassword
      try complete(&completed[index].destination, path: needsFile ? path : nil)
    }
    return completed
  }

  /// Where the databases go at one destination.
  func databaseMap(
    _ map: DatabaseMap?, _ destination: RedisURL, _ origin: OptionValue.Origin,
    _ databases: Set<Int>?
  ) throws(UsageError) -> DatabaseMap {
    let name = arguments.has(.route) ? "--route" : "--dest"
    if let target = destination.database {
      if map != nil {
        throw UsageError(
          "--db-map, and a db in the URL of \(name); leave one of them out", at: origin)
      }
      guard databases?.count == 1 else {
        throw UsageError(
          "the URL of \(name) names a db, but not exactly one db of the source is read; add --db N, "
            + "or take the db out of the URL", at: origin)
      }
      return DatabaseMap(target: target)
    }
    return try checked(map ?? DatabaseMap(), databases)
  }

  /// A map of databases, unless two of those that are read meet.
  func checked(
    _ map: DatabaseMap, _ databases: Set<Int>?
  ) throws(UsageError) -> DatabaseMap {
    for source in map.numbers.keys.sorted() where databases.map({ !$0.contains(source) }) ?? false {
      throw UsageError(
        "--db-map is about db \(source), which is not read; add it to --db",
        at: arguments.origin(of: .databaseMap))
    }
    if let target = map.collision(among: databases) {
      throw UsageError(
        "--db-map puts two dbs of the source into db \(target); read only one of them (--db N), or"
          + " map the other one, too", at: arguments.origin(of: .databaseMap))
    }
    return map
  }

  // MARK: Rules that contradict each other

  private func check(_ routes: [Route]) throws(UsageError) {
    try checkPlaces(routes)
    for route in routes {
      try checkExcluded(route.filter)
      if let collision = route.mapping.collision {
        throw UsageError(Self.text(collision), at: origin(ofRewrite: collision.rewrite))
      }
    }
    for (index, rewrite) in (routes.first?.mapping.rewrites ?? []).enumerated()
    where !routes.contains(where: { $0.filter.mayMatchKey(startingWith: rewrite.old.span) }) {
      throw UsageError(
        "\(Self.ordinal(index)) --rewrite is about keys that do not move",
        at: origin(ofRewrite: index))
    }
  }

  /// Two routes to one place would be two writers there. Routes with the same URL are one by now.
  private func checkPlaces(_ routes: [Route]) throws(UsageError) {
    for (index, route) in routes.enumerated() {
      guard let databases = route.filter.databases, databases.count == 1,
        let source = databases.first
      else { return }
      let place = route.mapping.databases.destination(of: source)
      for other in routes[..<index]
      where other.destination.endpoint == route.destination.endpoint
        && other.mapping.databases.destination(of: source) == place
      {
        throw UsageError(
          "--route names one db of one destination by two URLs; use the same URL for both",
          at: arguments.origin(of: .route))
      }
    }
  }

  func checkExcluded(_ filter: KeyFilter) throws(UsageError) {
    let name: CommandOption.Name = arguments.has(.route) ? .route : .prefix
    let longName = arguments.command.option(name).longName
    if filter.included.isEmpty, filter.excluded.matchesEveryKey(startingWith: [UInt8]().span) {
      throw UsageError("the options leave every key out")
    }
    for prefix in filter.prefixes
    where filter.excluded.matchesEveryKey(startingWith: prefix.span) {
      throw UsageError("a \(longName) whose keys are all left out again by what is excluded")
    }
  }

  func origin(ofRewrite index: Int) -> OptionValue.Origin {
    arguments.all(.rewrite)[index].origin
  }

  static func text(_ collision: KeyMapping.Collision) -> String {
    let one = ordinal(collision.rewrite)
    guard let other = collision.other else {
      return "\(one) --rewrite may give keys the names of others that move and keep theirs; leave"
        + " those out with --exclude-prefix, or choose another name"
    }
    return "\(one) and \(ordinal(other)) --rewrite may give two keys one name; choose other names"
  }

  /// `the 2nd`, for the second of a kind.
  private static func ordinal(_ index: Int) -> String {
    let number = index + 1
    let isTeen = (11...13).contains(number % 100)
    let ending =
      switch isTeen ? 0 : number % 10 {
      case 1: "st"
      case 2: "nd"
      case 3: "rd"
      default: "th"
      }
    return "the \(number)\(ending)"
  }
}
