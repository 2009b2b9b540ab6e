// Which options of TLS count for which side. The files that they name are read for real in the
// integration tests.

import ReplicaLink
import Testing

@testable import Migr8Sync

@Suite(.enabled(if: TLSOptions.isAvailable, "this build has no OpenSSL"))
struct TLSArgumentsTests {
  private let secureEnds = ["-s", "rediss://old", "-d", "rediss://new"]

  @Test func withoutOptionsTheSystemDecides() throws {
    let options = try options(["-s", "rediss://old", "-d", "redis://new"])
    #expect(options.source.tls == TLSOptions())
    #expect(options.destination.tls == nil)
  }

  @Test func anOptionIsForBothSidesUnlessOneHasItsOwn() throws {
    let both = try options(secureEnds + ["--tls-sni", "name", "--tls-insecure"])
    #expect(both.source.tls == both.destination.tls)
    #expect(both.source.tls?.serverName == "name" && both.source.tls?.verifiesServer == false)
    let one = try options(secureEnds + ["--tls-sni", "name", "--dest-tls-sni=other"])
    #expect(one.source.tls?.serverName == "name" && one.destination.tls?.serverName == "other")
    let careless = try options(secureEnds + ["--source-tls-insecure"])
    #expect(careless.source.tls?.verifiesServer == false)
    #expect(careless.destination.tls?.verifiesServer == true)
  }

  @Test(arguments: [
    (["--tls-ca", "f", "--tls-insecure"], "leave one of them out"),
    (["--tls-key", "f"], "--tls-key needs its certificate; add --tls-cert"),
    (["--dest-tls-key", "f"], "--dest-tls-key needs its certificate; add --dest-tls-cert"),
    (["--tls-ca="], "--tls-ca takes the path of a file"),
    (["--tls-sni="], "--tls-sni takes a host name"),
    (["--tls-insecure=yes"], "--tls-insecure takes no value"),
    (["--source-tls-ca", "a", "--source-tls-ca", "b"], "--source-tls-ca is given twice"),
  ])
  func contradictionsAreRefused(words: [String], expected: String) throws {
    let message = try refusal(secureEnds + words)
    #expect(message.contains(expected), "\(message)")
  }
}
