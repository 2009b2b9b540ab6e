// KeySpecification: where a command says its keys are, in the words of COMMAND since Redis 7.0.
//
// A command has several; each finds a place to begin, by index or behind a keyword, and from there a
// range of arguments or a counted run. Source: the servers' COMMAND DOCS on key specifications.

/// One rule of a command about its keys.
struct KeySpecification: Sendable, Equatable {
  /// Where the search begins.
  enum Begin: Sendable, Equatable {
    /// At this argument, the name being 0.
    case index(Int)
    /// Behind the first argument that is this word, in lower case, from that index on; a negative
    /// index counts from the end and searches backwards.
    case keyword([UInt8], from: Int)
  }

  /// Which arguments are keys, from where the search begins.
  enum Find: Sendable, Equatable {
    /// Up to `last`, which counts from the beginning or, when negative, from the end; with a
    /// `limit` above 1 only that fraction of what remains.
    case range(last: Int, step: Int, limit: Int)
    /// As many as the argument at `number` says, from `first` on.
    case counted(number: Int, first: Int, step: Int)
  }

  let begin: Begin
  let find: Find

  /// The indices of the keys by this rule; none where its keyword is missing; `nil` when they do not
  /// fit the arguments.
  func keys(in bytes: Span<UInt8>, _ arguments: Span<Range<Int>>) -> [Int]? {
    guard let start = start(bytes, arguments) else { return [] }
    guard start > 0, start < arguments.count else { return nil }
    switch find {
    case .range(let last, let step, let limit):
      var end = start + last
      if last < 0 {
        end = limit <= 1 ? arguments.count + last : start + (arguments.count - start) / limit + last
      }
      guard step > 0, end >= start, end < arguments.count else { return nil }
      return Array(stride(from: start, through: end, by: step))
    case .counted(let number, let first, let step):
      guard number >= 0, start + number < arguments.count, step > 0,
        let value = bytes.extracting(arguments[start + number]).integer, value >= 0,
        value <= Int64(arguments.count)
      else { return nil }
      let count = Int(value)
      if count == 0 { return [] }
      let (from, to) = (start + first, start + first + (count - 1) * step)
      guard from > 0, to < arguments.count else { return nil }
      return Array(stride(from: from, through: to, by: step))
    }
  }

  private func start(_ bytes: Span<UInt8>, _ arguments: Span<Range<Int>>) -> Int? {
    switch begin {
    case .index(let index):
      return index
    case .keyword(let word, let from):
      let isBackwards = from < 0
      var index = isBackwards ? arguments.count + from : from
      while index > 0, index < arguments.count {
        if Self.isWord(bytes.extracting(arguments[index]), word.span) { return index + 1 }
        index += isBackwards ? -1 : 1
      }
      return nil
    }
  }

  private static func isWord(_ bytes: Span<UInt8>, _ word: Span<UInt8>) -> Bool {
    guard bytes.count == word.count else { return false }
    for index in bytes.indices where bytes[index].asciiLowercased != word[index] { return false }
    return true
  }
}
