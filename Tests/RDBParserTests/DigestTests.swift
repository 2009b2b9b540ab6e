// Digests of bytes: the same however the bytes come, and another one where texts end elsewhere.

import Testing

@testable import RDBParser

struct DigestTests {
  @Test func portionsDoNotMatter() {
    let bytes = (0..<100).map { UInt8($0 * 7 % 251) }
    func digest(_ portions: [ArraySlice<UInt8>]) -> RDBDigest {
      var hasher = RDBDigestHasher(domain: 3)
      for portion in portions { hasher.append(Array(portion).span) }
      hasher.endText()
      return hasher.finish()
    }
    let whole = digest([bytes[...]])
    for split in 0...100 {
      #expect(digest([bytes[..<split], bytes[split...]]) == whole, "split at \(split)")
      #expect(digest([bytes[..<split]]) != whole || split == 100)
    }
    #expect(digest(bytes.indices.map { bytes[$0...$0] }) == whole)
  }

  @Test func whereOneEndsAndTheNextBeginsMatters() {
    func digest(_ texts: [String]) -> RDBDigest {
      var hasher = RDBDigestHasher(domain: 0)
      for text in texts {
        hasher.append(Array(text.utf8).span)
        hasher.endText()
      }
      return hasher.finish()
    }
    let texts = [["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""], ["", "abc"], [], [""]]
    #expect(Set(texts.map(digest)).count == texts.count)
  }
}
