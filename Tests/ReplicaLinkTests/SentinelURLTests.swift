// redis+sentinel:// URLs: every form, every refusal, and that neither of their passwords leaves them.

import Testing

@testable import ReplicaLink

@Suite struct SentinelURLTests {
  private func group(_ url: RedisURL) throws -> SentinelGroup {
    guard case .sentinel(let group) = url.endpoint else {
      throw PlayError(description: "\(url) names no sentinel")
    }
    return group
  }

  @Test func acceptsSentinelsMasterAndDatabase() throws {
    let url = try RedisURL("redis+sentinel://a,b:7000,[::1]:7001/my%2Dmaster/3")
    let group = try group(url)
    #expect(
      group.sentinels == [
        .tcp(host: "a", port: 26_379), .tcp(host: "b", port: 7000), .tcp(host: "::1", port: 7001),
      ])
    #expect(group.master == "my-master")
    #expect(url.database == 3 && !url.usesTLS)
    #expect(url.credentials == nil && url.sentinelCredentials == nil)
    #expect("\(url)" == "redis+sentinel://a:26379,b:7000,[::1]:7001/my-master/3")
    #expect("\(url.endpoint)" == "a:26379,b:7000,[::1]:7001/my-master")
  }

  @Test func keepsTheTwoLoginsApart() throws {
    let url = try RedisURL(
      "REDISS+Sentinel://al%40ice:hunter2@h/m?sentinel-password=hunter%263&sentinel-user=watch")
    #expect(url.credentials?.user == "al@ice" && url.credentials?.password == "hunter2")
    #expect(url.sentinelCredentials?.user == "watch")
    #expect(url.sentinelCredentials?.password == "hunter&3")
    #expect(url.usesTLS && url.database == nil)
    var dumped = ""
    dump(url, to: &dumped)
    for text in ["\(url)", String(reflecting: url), dumped] { #expect(!text.contains("hunter")) }
  }

  @Test func aPlainAddressTakesTheLoginOfTheServersOnly() throws {
    let url = try RedisURL("redis+sentinel://u:p@h/m/2?sentinel-password=x")
    let server = url.at(.tcp(host: "s", port: 1))
    #expect("\(server)" == "redis://u:***@s:1/2")
    #expect(server.sentinelCredentials == nil)
  }

  typealias Bad = (text: String, part: RedisURLError.Part, position: Int)

  static let bad: [Bad] = [
    ("redis+sentinel://h", .master, 19), ("redis+sentinel://h/", .master, 20),
    ("redis+sentinel://h//3", .master, 22), ("redis+sentinel:///m", .host, 18),
    ("redis+sentinel://a,,b/m", .host, 20), ("redis+sentinel://a,/m", .host, 20),
    ("redis+sentinel://a:x/m", .port, 20), ("redis+sentinel://h/m/x", .database, 22),
    ("redis+sentinel://h/m/1/2", .database, 22), ("redis+sentinel://h/m?db=1", .option, 22),
    ("redis+sentinel://h/m?", .option, 22), ("redis+sentinel://h/%zz", .master, 20),
    ("redis+sentinel://h/m?sentinel-user=a&sentinel-user=b", .option, 38),
    ("redis+sentinel://h/m?sentinel-password=%f", .password, 40),
    ("redis+sentinel://:hunter2/x@h/m", .password, 26),
    ("sentinel://h/m", .scheme, 1),
  ]

  @Test(arguments: bad) func refusesWithPartAndPosition(_ case: Bad) throws {
    let error = try #require(throws: RedisURLError.self) { try RedisURL(`case`.text) }
    #expect(error.part == `case`.part, "\(error)")
    #expect(error.position == `case`.position, "\(error)")
    #expect(!error.description.contains("hunter2"))
  }

  @Test func anyTextGivesAURLOrAnErrorWithoutTheSecret() {
    let seed: UInt64 = 0x5EED_0004
    var state = seed
    let alphabet = Array("abc:/@[],%?&#=.019 \u{e9}".unicodeScalars)
    for _ in 0..<20_000 {
      var text = "redis+sentinel://"
      for _ in 0..<(state >> 20 & 15) {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        text.unicodeScalars.append(alphabet[Int(state >> 33) % alphabet.count])
      }
      state = state &* 6_364_136_223_846_793_005 &+ 1
      text += state & 1 == 0 ? ":hunter2@h/m" : "/m?sentinel-password=hunter2"
      do {
        let url = try RedisURL(text)
        #expect(url.sentinelCredentials == nil || !"\(url)".contains("hunter2"), "\(seed) \(text)")
      } catch {
        #expect(!error.description.contains("hunter2"), "seed \(seed), text \(text)")
      }
    }
  }
}
