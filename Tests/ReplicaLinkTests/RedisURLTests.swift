// RedisURL: every form it accepts, every way it refuses, and that no secret leaves it.

import Testing

@testable import ReplicaLink

@Suite struct RedisURLTests {
  struct Good: Sendable {
    var text: String
    var endpoint: Endpoint
    var user: String?
    var password: String?
    var database: Int?
    var usesTLS = false
    var shown: String
  }

  static let good: [Good] = [
    Good(
      text: "redis://", endpoint: .tcp(host: "127.0.0.1", port: 6379),
      shown: "redis://127.0.0.1:6379"),
    Good(
      text: "REDIS://Example.org", endpoint: .tcp(host: "Example.org", port: 6379),
      shown: "redis://Example.org:6379"),
    Good(
      text: "redis://h:1/15", endpoint: .tcp(host: "h", port: 1), database: 15,
      shown: "redis://h:1/15"),
    Good(text: "redis://h/", endpoint: .tcp(host: "h", port: 6379), shown: "redis://h:6379"),
    Good(
      text: "redis:///3", endpoint: .tcp(host: "127.0.0.1", port: 6379), database: 3,
      shown: "redis://127.0.0.1:6379/3"),
    Good(
      text: "redis://:6380", endpoint: .tcp(host: "127.0.0.1", port: 6380),
      shown: "redis://127.0.0.1:6380"),
    Good(
      text: "redis://alice:s3cret@h:65535", endpoint: .tcp(host: "h", port: 65535), user: "alice",
      password: "s3cret", shown: "redis://alice:***@h:65535"),
    Good(
      text: "redis://:s3cret@h", endpoint: .tcp(host: "h", port: 6379), password: "s3cret",
      shown: "redis://***@h:6379"),
    Good(
      text: "redis://alice@h", endpoint: .tcp(host: "h", port: 6379), user: "alice", password: "",
      shown: "redis://***@h:6379"),
    Good(
      text: "redis://@h", endpoint: .tcp(host: "h", port: 6379), shown: "redis://h:6379"),
    Good(
      text: "redis://a%3Ab:p%40%2F%25%c3%a9:x@y@h/0", endpoint: .tcp(host: "h", port: 6379),
      user: "a:b", password: "p@/%é:x@y", database: 0, shown: "redis://a:b:***@h:6379/0"),
    Good(
      text: "redis://[::1]:7000/2", endpoint: .tcp(host: "::1", port: 7000), database: 2,
      shown: "redis://[::1]:7000/2"),
    Good(
      text: "redis://u:p@[2001:db8::7]", endpoint: .tcp(host: "2001:db8::7", port: 6379), user: "u",
      password: "p", shown: "redis://u:***@[2001:db8::7]:6379"),
    Good(
      text: "redis://[fe80::1%eth0]", endpoint: .tcp(host: "fe80::1%eth0", port: 6379),
      shown: "redis://[fe80::1%eth0]:6379"),
    Good(
      text: "redis://[fe80::1%25eth0]", endpoint: .tcp(host: "fe80::1%eth0", port: 6379),
      shown: "redis://[fe80::1%eth0]:6379"),
    Good(
      text: "redis://[fe80::1%25]", endpoint: .tcp(host: "fe80::1%25", port: 6379),
      shown: "redis://[fe80::1%25]:6379"),
    Good(
      text: "rediss://h:6390/1", endpoint: .tcp(host: "h", port: 6390), database: 1, usesTLS: true,
      shown: "rediss://h:6390/1"),
    Good(
      text: "unix:///run/redis%20a.sock?db=4", endpoint: .unix(path: "/run/redis a.sock"),
      database: 4, shown: "unix:///run/redis a.sock?db=4"),
    Good(text: "unix:///a", endpoint: .unix(path: "/a"), shown: "unix:///a"),
  ]

  @Test(arguments: good) func acceptsEveryForm(_ expected: Good) throws {
    let url = try RedisURL(expected.text)
    #expect(url.endpoint == expected.endpoint)
    #expect(url.credentials?.user == expected.user)
    #expect(url.credentials?.password == expected.password)
    #expect(url.database == expected.database)
    #expect(url.usesTLS == expected.usesTLS)
    #expect(url.description == expected.shown)
  }

  typealias Bad = (text: String, part: RedisURLError.Part, position: Int)

  static let bad: [Bad] = [
    ("", .scheme, 1), ("localhost:6379", .scheme, 1), ("redis:/h", .scheme, 1),
    ("http://h", .scheme, 1), ("user:hunter2@h", .scheme, 1), ("redis//h", .scheme, 1),
    ("redis://h:", .port, 11), ("redis://h:0", .port, 11), ("redis://h:65536", .port, 11),
    ("redis://h:+1", .port, 11), ("redis://h:99999999999999999999999", .port, 11),
    ("redis://:hunter2", .port, 10), ("redis://h:1:2", .host, 10), ("redis://::1", .host, 9),
    ("redis://a b", .host, 10), ("redis://h\n", .host, 10), ("redis://hé", .host, 10),
    ("redis://[::1", .host, 9), ("redis://[]", .host, 10), ("redis://[nope]", .host, 10),
    ("redis://[::1]x", .port, 14), ("redis://[::1]:", .port, 15), ("redis://[::1%a b]", .host, 10),
    ("redis://h/x", .database, 11), ("redis://h/-1", .database, 11),
    ("redis://h/1/2", .database, 11), ("redis://h/2147483648", .database, 11),
    ("redis://h/99999999999999999999999", .database, 11), ("redis://h?db=1", .database, 10),
    ("redis://h#1", .database, 10), ("redis://:hunter2/x@h", .password, 17),
    ("redis://:hunter2?@h", .password, 17), ("redis://:hunter2%@h", .password, 17),
    ("redis://:hunter2%4@h", .password, 17), ("redis://:hunter2%zz@h", .password, 17),
    ("redis://:hunter2%ff@h", .password, 10), ("redis://%ff:hunter2@h", .user, 9),
    ("unix://relative.sock", .path, 8), ("unix://", .path, 8), ("unix://u:hunter2@/x", .path, 8),
    ("unix:///x%00y", .path, 8), ("unix:///x?database=1", .database, 10),
    ("unix:///x?db=", .database, 14), ("unix:///x?db=1&password=hunter2", .database, 14),
    ("unix:///" + String(repeating: "x", count: 107), .path, 8),
  ]

  @Test(arguments: bad) func refusesWithPartAndPosition(_ case: Bad) throws {
    let error = try #require(throws: RedisURLError.self) { try RedisURL(`case`.text) }
    #expect(error.part == `case`.part)
    #expect(error.position == `case`.position)
    #expect(!error.description.contains("hunter2"))
    #expect(!error.problem.isEmpty && !error.expected.isEmpty)
  }

  @Test func noFormOfPrintingShowsThePassword() throws {
    let url = try RedisURL("redis://alice:hunter2@h/1")
    var dumped = ""
    dump(url, to: &dumped)
    for text in ["\(url)", String(reflecting: url), "\(url.credentials!)", dumped] {
      #expect(!text.contains("hunter2"))
    }
  }

  @Test func anyTextGivesAURLOrAnErrorWithoutTheSecret() {
    let seed: UInt64 = 0x5EED_0001
    var state = seed
    let alphabet = Array("redisunx:/@[]%?#=.0159 \u{e9}\n".unicodeScalars)
    for _ in 0..<20_000 {
      var text = state % 3 == 0 ? "redis://" : state % 3 == 1 ? "unix:///" : ""
      for _ in 0..<(state >> 20 & 15) {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        text.unicodeScalars.append(alphabet[Int(state >> 33) % alphabet.count])
      }
      state = state &* 6_364_136_223_846_793_005 &+ 1
      text += "hunter2"
      do {
        let url = try RedisURL(text)
        // Only a host or a path may hold the word: nothing before an '@' is there.
        #expect(url.credentials == nil || !url.credentials!.description.contains("hunter2"))
      } catch {
        #expect(!error.description.contains("hunter2"), "seed \(seed), text \(text)")
      }
    }
  }
}
