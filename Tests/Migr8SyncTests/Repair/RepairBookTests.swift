// RepairBook: a key's way from request to done, in every order of events.

import Testing

@testable import Migr8Sync

/// A book behind a reference, so that expectations may change it.
private final class Book {
  private var book: RepairBook

  init(_ book: RepairBook = RepairBook()) { self.book = book }

  convenience init(_ change: (inout RepairBook.Limits) -> Void) {
    var limits = RepairBook.Limits()
    change(&limits)
    self.init(RepairBook(limits: limits))
  }

  var isEmpty: Bool { book.isEmpty }
  var count: Int { book.count }
  var isBlocking: Bool { book.isBlocking }
  var lateValues: UInt64 { book.lateValues }
  func contains(_ name: KeyName) -> Bool { book.contains(name.key.span, database: name.database) }
  func request(_ name: KeyName, at offset: UInt64) -> Bool { book.request(name, at: offset) }
  func request(_ name: KeyName, atBoundary boundary: UInt64) -> Bool {
    book.request(name, atBoundary: boundary)
  }
  func touch(_ name: KeyName, at offset: UInt64) { book.touch(name, at: offset) }
  func takeNeeded(limit: Int = 64) -> [KeyName] { book.takeNeeded(limit: limit) }
  func fetched(_ value: RepairValue) { book.fetched(value) }
  func unanswered(_ name: KeyName) { book.unanswered(name) }
  func hasDue(at boundary: UInt64) -> Bool { book.hasDue(at: boundary) }
  func takeDue(at boundary: UInt64) -> [RepairValue] { book.takeDue(at: boundary) }
  func takeChanges() -> RepairBook.Changes { book.takeChanges() }
}

@Suite struct RepairBookTests {
  static let name = KeyName(database: 2, key: Array("k".utf8))

  static func value(_ offset: UInt64, _ name: KeyName = name, bytes: Int = 3) -> RepairValue {
    RepairValue(
      name: name, payload: [UInt8](repeating: 1, count: bytes), expiryMilliseconds: nil,
      offset: offset)
  }

  /// A book with the key requested by a command at 100 and asked for.
  fileprivate static func asked() -> Book {
    let book = Book()
    #expect(book.request(name, at: 100))
    #expect(book.takeNeeded() == [name])
    return book
  }

  @Test func aValueIsDueWhenTheStreamHasComeToItsOffset() {
    let book = Self.asked()
    book.fetched(Self.value(500))
    book.touch(Self.name, at: 300)
    #expect(!book.hasDue(at: 499) && book.takeDue(at: 499).isEmpty)
    #expect(book.contains(Self.name))
    #expect(book.hasDue(at: 500) && book.takeDue(at: 500) == [Self.value(500)])
    #expect(book.isEmpty && !book.hasDue(at: 600))
  }

  @Test func aValueThatComesLateIsGoodWhileNoCommandWasPassedOverBehindIt() {
    let book = Self.asked()
    book.touch(Self.name, at: 400)
    book.fetched(Self.value(500))
    #expect(book.takeDue(at: 900) == [Self.value(500)])
  }

  @Test func aValueBeforeACommandThatWasPassedOverIsAskedForAgainAndBlocks() {
    let book = Self.asked()
    book.touch(Self.name, at: 500)
    book.fetched(Self.value(500))
    #expect(!book.isBlocking)
    #expect(book.takeDue(at: 900).isEmpty && book.lateValues == 1)
    #expect(book.isBlocking && book.takeNeeded() == [Self.name] && book.isBlocking)
    book.unanswered(Self.name)
    #expect(book.isBlocking && book.takeNeeded() == [Self.name])
    book.fetched(Self.value(950))
    #expect(!book.isBlocking && book.takeDue(at: 900).isEmpty)
    #expect(book.takeDue(at: 950) == [Self.value(950)])
  }

  @Test func aValueFromBeforeTheCommandItselfIsTooOld() {
    let book = Self.asked()
    book.fetched(Self.value(100))
    #expect(book.takeDue(at: 200).isEmpty && book.isBlocking)
  }

  @Test func aRequestAtABoundaryTakesTheValueOfThatBoundary() {
    for boundary in [0, 77] as [UInt64] {
      let book = Book()
      #expect(book.request(Self.name, atBoundary: boundary))
      _ = book.takeNeeded()
      book.fetched(Self.value(boundary))
      #expect(book.takeDue(at: boundary).count == 1)
    }
  }

  @Test func answersNobodyAskedForAreIgnored() {
    let book = Book()
    book.fetched(Self.value(5))
    book.unanswered(Self.name)
    #expect(book.isEmpty && !book.hasDue(at: 10))
    _ = book.request(Self.name, at: 1)
    book.fetched(Self.value(5))
    #expect(book.takeDue(at: 10).isEmpty && book.count == 1)
  }

  @Test func theCheckpointIsToldWhatChanged() {
    let book = Book()
    #expect(book.takeChanges().isEmpty)
    _ = book.request(Self.name, at: 1)
    _ = book.request(Self.name, at: 2)
    #expect(book.takeChanges() == RepairBook.Changes(added: [Self.name], removed: []))
    _ = book.takeNeeded()
    book.fetched(Self.value(5))
    _ = book.takeDue(at: 5)
    #expect(book.takeChanges() == RepairBook.Changes(added: [], removed: [Self.name]))
    // Entered and done between two checkpoints: nobody needs to know.
    _ = book.request(Self.name, at: 6)
    _ = book.takeNeeded()
    book.fetched(Self.value(9))
    _ = book.takeDue(at: 9)
    #expect(book.takeChanges().isEmpty)
  }

  @Test func aResumedBookAsksForEverythingAgain() {
    let names = [Self.name, KeyName(database: 0, key: []), Self.name]
    let book = Book(RepairBook(resuming: names, atBoundary: 50))
    #expect(book.count == 2 && book.takeChanges().isEmpty)
    #expect(Set(book.takeNeeded()) == Set(names))
    book.fetched(Self.value(50))
    #expect(book.takeDue(at: 50).count == 1)
  }

  @Test func namesSurviveTheCheckpoint() {
    for name in [
      Self.name, KeyName(database: 15, key: []), KeyName(database: 0, key: [58, 0, 255]),
    ] {
      #expect(KeyName(encoded: name.encoded) == name)
    }
    for text in ["", "k", ":k", "-1:k", "01:k", "x:k", "99999999999999999999:k"] {
      #expect(KeyName(encoded: Array(text.utf8)) == nil)
    }
  }

  @Test func valuesThatWaitBoundWhatIsAskedFor() {
    let book = Book { $0.heldBytesMax = 10 }
    let names = (0..<4).map { KeyName(database: 0, key: [UInt8($0)]) }
    for name in names { _ = book.request(name, at: 1) }
    #expect(book.takeNeeded(limit: 2) == [names[0], names[1]])
    book.fetched(Self.value(100, names[0], bytes: 20))
    #expect(book.takeNeeded() == [])
    // A key that blocks is asked for all the same: the stream waits for it.
    book.touch(names[1], at: 70)
    book.fetched(Self.value(60, names[1], bytes: 20))
    #expect(book.takeDue(at: 80) == [] && book.isBlocking)
    #expect(book.takeNeeded() == [names[1]])
    book.fetched(Self.value(90, names[1], bytes: 20))
    #expect(book.takeDue(at: 100).count == 2)
    #expect(book.takeNeeded() == [names[2], names[3]])
  }

  @Test func thereIsRoomForSoManyNamesOnly() {
    let book = Book { $0.nameBytesMax = 4 }
    #expect(book.request(KeyName(database: 0, key: [1, 2, 3]), at: 1))
    #expect(!book.request(KeyName(database: 0, key: [1, 2]), at: 1))
    #expect(book.request(KeyName(database: 0, key: [1]), at: 1) && book.count == 2)
  }

  @Test func manyKeysAreAskedForInTheirOrder() {
    let book = Book()
    let names = (0..<1000).map { KeyName(database: 0, key: Array("\($0)".utf8)) }
    var taken: [KeyName] = []
    for (index, name) in names.enumerated() {
      _ = book.request(name, at: 1)
      if index % 7 == 0 { taken += book.takeNeeded(limit: 3) }
    }
    while case let more = book.takeNeeded(limit: 10), !more.isEmpty { taken += more }
    #expect(taken == names)
  }
}
