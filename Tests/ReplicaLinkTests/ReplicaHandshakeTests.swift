// The handshake as a table of conversations: what a source says, what we answer, how it ends.

import Testing

@testable import ReplicaLink

struct ReplicaHandshakeTests {
  static let identity = "0123456789abcdef0123456789ABCDEF01234567"
  static let mark = "9f07fee9d7dcbfc125a6f29125fb0744b72775b2"
  static let announcement =
    "*5\r\n$8\r\nREPLCONF\r\n$4\r\ncapa\r\n$3\r\neof\r\n$4\r\ncapa\r\n$6\r\npsync2\r\n"
  static let request = "*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n"

  /// What a conversation came to.
  enum Ending: Equatable, Sendable {
    case snapshot(SnapshotStart)
    case continued(String?)
    case second(SecondChannelOffer)
    case failure(LinkError.Code)
    /// The source has not said enough.
    case open
  }

  struct Conversation: Sendable, CustomTestStringConvertible {
    var name: String
    var user: String?
    var password: String?
    var psyncCommand = "PSYNC"
    /// Where the stream is to go on.
    var place: ReplicationPlace?
    var takesTwoChannels = false
    /// The source's lines, without line ends.
    var lines: [String]
    var ending: Ending
    var testDescription: String { name }
  }

  private struct Outcome {
    var ending = Ending.open
    var sent: [String] = []
    var error: LinkError?
    var wasAccepted = false
    var handshake: ReplicaHandshake?
  }

  private static func hold(_ talk: Conversation) -> Outcome {
    let credentials = talk.password.map { Credentials(user: talk.user, password: $0) }
    var handshake = ReplicaHandshake(
      ReplicaHandshake.Request(
        credentials: credentials, peer: "source:1", psyncCommand: talk.psyncCommand,
        place: talk.place, takesTwoChannels: talk.takesTwoChannels))
    var outcome = Outcome()
    var lines = talk.lines[...]
    var action = handshake.begin()
    while true {
      switch action {
      case .send(let bytes): outcome.sent.append(String(decoding: bytes, as: UTF8.self))
      case .wait: break
      case .accepted: outcome.wasAccepted = true
      case .snapshot(let start):
        outcome.ending = .snapshot(start)
        outcome.handshake = handshake
        return outcome
      case .continued(let identity):
        outcome.ending = .continued(identity)
        return outcome
      case .second(let offer):
        outcome.ending = .second(offer)
        return outcome
      case .fail(let error):
        outcome.ending = .failure(error.code)
        outcome.error = error
        return outcome
      }
      guard let line = lines.popFirst() else { return outcome }
      action = handshake.receive(line)
    }
  }

  private static func start(
    _ offset: UInt64, _ framing: SnapshotStart.Framing
  ) -> Ending {
    .snapshot(SnapshotStart(replicationID: identity, offset: offset, framing: framing))
  }

  static let place = ReplicationPlace(replicationID: identity, offset: 99)
  static let fullResync = "+FULLRESYNC \(identity) 1234"
  static let good = ["+OK", fullResync]

  static let conversations: [Conversation] = [
    Conversation(
      name: "a disk-based snapshot", lines: good + ["$1998"], ending: start(1234, .length(1998))),
    Conversation(
      name: "a marked snapshot", lines: good + ["$EOF:\(mark)"],
      ending: start(1234, .mark(Array(mark.utf8)))),
    Conversation(
      name: "an empty snapshot", lines: good + ["$0"], ending: start(1234, .length(0))),
    Conversation(
      name: "the greatest numbers",
      lines: ["+OK", "+FULLRESYNC \(identity) 9223372036854775807", "$9223372036854775807"],
      ending: start(UInt64(Int64.max), .length(UInt64(Int64.max)))),
    Conversation(
      name: "a password", password: "secret", lines: ["+OK"] + good + ["$5"],
      ending: start(1234, .length(5))),
    Conversation(
      name: "a user and a password", user: "bob", password: "secret",
      lines: ["+OK"] + good + ["$5"],
      ending: start(1234, .length(5))),
    Conversation(
      name: "AUTH has another name", user: "bob", password: "secret",
      lines: ["-ERR unknown command 'AUTH', with args beginning with: 'bob' 'secret' "],
      ending: .failure(.rejected)),
    Conversation(
      name: "a proxy that repeats what it is told", password: "secret",
      lines: ["-ERR AUTH secret: not here"], ending: .failure(.rejected)),
    Conversation(
      name: "newlines before every answer", password: "secret",
      lines: ["", "", "+OK", "", "+OK", "", "", "", fullResync, "", "", "$5"],
      ending: start(1234, .length(5))),
    Conversation(
      name: "an option that is unknown",
      lines: ["-ERR Unrecognized REPLCONF option: capa", fullResync, "$5"],
      ending: start(1234, .length(5))),
    Conversation(
      name: "no REPLCONF at all",
      lines: ["-ERR unknown command 'REPLCONF'", fullResync, "$5"],
      ending: start(1234, .length(5))),
    Conversation(
      name: "a wrong password", password: "x",
      lines: ["-WRONGPASS invalid username-password pair or user is disabled."],
      ending: .failure(.authentication)),
    Conversation(
      name: "a wrong password before 6.0", password: "x", lines: ["-ERR invalid password"],
      ending: .failure(.authentication)),
    Conversation(
      name: "a password where none is wanted", password: "x",
      lines: [
        "-ERR AUTH <password> called without any password configured for the default user."
          + " Are you sure your configuration is correct?"
      ], ending: .failure(.authentication)),
    Conversation(
      name: "a password where none is wanted before 6.0", password: "x",
      lines: ["-ERR Client sent AUTH, but no password is set"], ending: .failure(.authentication)),
    Conversation(
      name: "no password where one is wanted", lines: ["-NOAUTH Authentication required."],
      ending: .failure(.authentication)),
    Conversation(
      name: "no permission for REPLCONF",
      lines: ["-NOPERM this user has no permissions to run the 'replconf' command"],
      ending: .failure(.permission)),
    Conversation(
      name: "no permission for PSYNC",
      lines: ["+OK", "-NOPERM this user has no permissions to run the 'psync' command"],
      ending: .failure(.permission)),
    Conversation(
      name: "a server that is loading",
      lines: ["+OK", "-LOADING Redis is loading the dataset in memory"],
      ending: .failure(.loading)),
    Conversation(
      name: "a replica without its master",
      lines: ["+OK", "-NOMASTERLINK Can't SYNC while not connected with my master"],
      ending: .failure(.masterLinkDown)),
    Conversation(
      name: "protected mode",
      lines: ["-DENIED Redis is running in protected mode because protected mode is enabled"],
      ending: .failure(.protectedMode)),
    Conversation(
      name: "too many clients", lines: ["-ERR max number of clients reached"],
      ending: .failure(.rejected)),
    Conversation(
      name: "PSYNC renamed",
      lines: ["+OK", "-ERR unknown command 'PSYNC', with args beginning with:"],
      ending: .failure(.rejected)),
    Conversation(
      name: "a snapshot that fails",
      lines: good + ["-ERR Unable to perform background save"], ending: .failure(.rejected)),
    Conversation(
      name: "a web server", lines: ["HTTP/1.1 400 Bad Request"], ending: .failure(.notRedis)),
    Conversation(
      name: "a secure shell", password: "x", lines: ["SSH-2.0-OpenSSH_9.2p1"],
      ending: .failure(.notRedis)),
    Conversation(
      name: "a continuation nobody asked for", lines: ["+OK", "+CONTINUE \(identity)"],
      ending: .failure(.protocolViolation)),
    Conversation(
      name: "an offset beyond all numbers",
      lines: ["+OK", "+FULLRESYNC \(identity) 18446744073709551615"],
      ending: .failure(.protocolViolation)),
    Conversation(
      name: "a negative offset", lines: ["+OK", "+FULLRESYNC \(identity) -1"],
      ending: .failure(.protocolViolation)),
    Conversation(
      name: "a signed offset", lines: ["+OK", "+FULLRESYNC \(identity) +1"],
      ending: .failure(.protocolViolation)),
    Conversation(
      name: "an identity too short", lines: ["+OK", "+FULLRESYNC \(identity.dropLast()) 1"],
      ending: .failure(.protocolViolation)),
    Conversation(
      name: "an identity of other letters",
      lines: ["+OK", "+FULLRESYNC \(String(repeating: "~", count: 40)) 1"],
      ending: .failure(.protocolViolation)),
    Conversation(
      name: "an acceptance with too few words", lines: ["+OK", "+FULLRESYNC"],
      ending: .failure(.protocolViolation)),
    Conversation(
      name: "a mark too short", lines: good + ["$EOF:\(mark.dropLast())"],
      ending: .failure(.protocolViolation)),
    Conversation(
      name: "a continuation", place: place, lines: ["+OK", "-NOPERM", "+CONTINUE \(identity)"],
      ending: .continued(identity)),
    Conversation(
      name: "a continuation before 4.0", place: place,
      lines: ["+OK", "$7", "a:b", "", "", "+CONTINUE"], ending: .continued(nil)),
    Conversation(
      name: "a continuation refused", place: place,
      lines: ["+OK", "$0", "", fullResync, "$5"], ending: start(1234, .length(5))),
    Conversation(
      name: "an answer to INFO longer than any", place: place,
      lines: ["+OK", "$9223372036854775807", fullResync, "$5"],
      ending: .failure(.protocolViolation)),
    Conversation(
      name: "an answer to INFO of many replicas", place: place,
      lines: ["+OK", "$\(2_000 * 50)"]
        + Array(repeating: String(repeating: "x", count: 48), count: 2_000)
        + ["", "+CONTINUE"], ending: .continued(nil)),
    Conversation(
      name: "a source before 2.8",
      lines: [
        "-ERR unknown command 'REPLCONF'", "-ERR unknown command 'PSYNC'", "", "", "$18",
      ],
      ending: .snapshot(
        SnapshotStart(replicationID: "", offset: 0, framing: .length(18)))),
    Conversation(
      name: "a renamed PSYNC that is not what it is called", psyncCommand: "SECRET",
      lines: ["-ERR unknown command 'REPLCONF'", "-ERR unknown command 'SECRET'"],
      ending: .failure(.rejected)),
    Conversation(
      name: "a replica without its master before 4.0",
      lines: ["+OK", "-ERR Can't SYNC while not connected with my master"],
      ending: .failure(.masterLinkDown)),
    Conversation(
      name: "a server that runs a script",
      lines: ["+OK", "-BUSY Redis is busy running a script. You can only call SCRIPT KILL"],
      ending: .failure(.busy)),
    Conversation(
      name: "two channels at Redis 8", takesTwoChannels: true,
      lines: ["+OK", "+RDBCHANNELSYNC 17"], ending: .second(.redis(clientID: "17"))),
    Conversation(
      name: "two channels at Valkey 8", takesTwoChannels: true,
      lines: ["+OK", "+DUALCHANNELSYNC"], ending: .second(.valkey)),
    Conversation(
      name: "two channels that nobody asked for", lines: ["+OK", "+DUALCHANNELSYNC"],
      ending: .failure(.protocolViolation)),
    Conversation(
      name: "a negative length", lines: good + ["$-1"], ending: .failure(.protocolViolation)),
    Conversation(
      name: "a length beyond all numbers", lines: good + ["$18446744073709551615"],
      ending: .failure(.protocolViolation)),
    Conversation(
      name: "a second acceptance", lines: good + [fullResync], ending: .failure(.protocolViolation)),
    Conversation(
      name: "an empty error", lines: ["+OK", "-"], ending: .failure(.rejected)),
    Conversation(name: "silence after the acceptance", lines: good + [""], ending: .open),
  ]

  @Test(arguments: conversations)
  func conversationEndsAsItShould(_ talk: Conversation) {
    let outcome = Self.hold(talk)
    #expect(outcome.ending == talk.ending)
    if let error = outcome.error {
      #expect(!error.description.contains("\n"))
      #expect(error.description.count < 500)
      if let password = talk.password, password.count > 1 {
        #expect(!error.description.contains(password))
      }
    }
  }

  @Test func sendsAuthThenReplconfThenPsyncEachAfterTheAnswerBeforeIt() {
    let talk = Conversation(
      name: "", user: "bob", password: "s3cr\r\nt", lines: ["+OK", "+OK", Self.fullResync, "$5"],
      ending: .open)
    let auth = "*3\r\n$4\r\nAUTH\r\n$3\r\nbob\r\n$7\r\ns3cr\r\nt\r\n"
    for (count, expected) in [
      (0, [auth]), (1, [auth, Self.announcement]), (2, [auth, Self.announcement, Self.request]),
      (4, [auth, Self.announcement, Self.request]),
    ] {
      var part = talk
      part.lines = Array(talk.lines.prefix(count))
      #expect(Self.hold(part).sent == expected)
    }
    #expect(Self.hold(talk).wasAccepted)
  }

  @Test func whatIsAskedForDependsOnWhatIsWanted() {
    func last(_ adjust: (inout Conversation) -> Void) -> String {
      var talk = Conversation(name: "", lines: ["+OK", "-NOPERM"], ending: .open)
      adjust(&talk)
      return Self.hold(talk).sent.last ?? ""
    }
    #expect(last { $0.place = Self.place }.hasSuffix("\(Self.identity)\r\n$3\r\n100\r\n"))
    #expect(
      last {
        $0.psyncCommand = "SECRET"
        $0.lines.removeLast()
      } == "*3\r\n$6\r\nSECRET\r\n$1\r\n?\r\n$2\r\n-1\r\n")
    #expect(
      last { $0.lines = ["-ERR unknown command", "-ERR unknown command"] }
        == "*1\r\n$4\r\nSYNC\r\n")
    let announcement = last {
      $0.takesTwoChannels = true
      $0.lines = []
    }
    #expect(announcement.contains("rdb-channel-repl") && announcement.contains("dual-channel"))
  }

  @Test func passwordAloneIsTheOnlyArgumentOfAuth() {
    let talk = Conversation(name: "", password: "pw", lines: [], ending: .open)
    #expect(Self.hold(talk).sent == ["*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n"])
  }

  @Test func messagesHoldNoControlCharacters() {
    for line in ["-ERR \u{1b}[2J\u{9b}31m\u{7f}\r", "+FULL\u{1b}[31m", "-NOPERM \u{1b}]0;x\u{7}"] {
      let talk = Conversation(name: "", lines: ["+OK", line], ending: .open)
      let message = Self.hold(talk).error?.description ?? ""
      #expect(!message.isEmpty)
      #expect(message.unicodeScalars.allSatisfy { $0.value >= 32 && !(127..<160 ~= $0.value) })
    }
  }

  @Test func randomLinesNeverTrap() {
    var random = SeededRandom("random handshakes")
    let words = [
      "+OK", "+FULLRESYNC ", Self.identity, " ", "-1", "9223372036854775808", "$", "$EOF:",
      Self.mark,
      "-ERR ", "+CONTINUE", "é", "\u{301}", "\0", "-NOPERM", "-LOADING ",
    ]
    for _ in 0..<20_000 {
      let lines = (0..<4).map { _ in
        (0..<random.below(6)).map { _ in words[random.below(words.count)] }.joined()
      }
      let credentials = random.chance(2) ? "x" : nil
      _ = Self.hold(Conversation(name: "", password: credentials, lines: lines, ending: .open))
    }
  }

  @Test(
    .enabled(if: RecordedLink.arePresent, "no ../shared/fixtures"), arguments: RecordedLink.labels)
  func recordedAcceptancesAreUnderstood(_ label: String) throws {
    let link = try RecordedLink(label)
    let lines = String(decoding: link.bytes[..<link.snapshot.lowerBound], as: UTF8.self)
      .split(separator: "\r\n").map { String($0.drop { $0 == "\n" }) }
    let talk = Conversation(name: "", lines: ["+OK"] + lines, ending: .open)
    let framing = link.mark.map { SnapshotStart.Framing.mark($0) }
    let start = SnapshotStart(
      replicationID: link.replicationID, offset: link.offset,
      framing: framing ?? .length(UInt64(link.snapshot.count)))
    #expect(Self.hold(talk).ending == .snapshot(start))
  }
}
