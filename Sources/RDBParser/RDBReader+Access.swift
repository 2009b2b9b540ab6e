// Lends out the bytes that belong to the last event. All of it is valid until the next call of
// `next()`, what `withValue` lends until the next call of `readValue()` too.

extension RDBReader {
  /// Lends the key of the last entry, decoded.
  @inline(__always)
  public func withKey<R: ~Copyable, E: Error>(
    _ body: (Span<UInt8>) throws(E) -> R
  ) throws(E) -> R {
    try key.span(0..<key.count, body)
  }

  /// Lends what the last `readValue()` announced: the whole value or the present chunk, as stored.
  @inline(__always)
  public func withValue<R: ~Copyable, E: Error>(
    _ body: (Span<UInt8>) throws(E) -> R
  ) throws(E) -> R {
    try window.span(lentValue, body)
  }

  /// Lends name and value after `.auxiliary`, decoded.
  public func withAuxiliary<R: ~Copyable, E: Error>(
    _ body: (_ name: Span<UInt8>, _ value: Span<UInt8>) throws(E) -> R
  ) throws(E) -> R {
    try auxiliary.span(0..<auxiliary.count) { bytes throws(E) -> R in
      try body(
        bytes.extracting(first: auxiliaryNameLength),
        bytes.extracting(auxiliaryNameLength..<bytes.count))
    }
  }

  /// Lends a function library's source after `.function`, decoded.
  public func withFunction<R: ~Copyable, E: Error>(
    _ body: (Span<UInt8>) throws(E) -> R
  ) throws(E) -> R {
    try auxiliary.span(0..<auxiliary.count, body)
  }

  /// Lends the bytes taken in that have not been read; after `.end` those that lie behind the file.
  public func withRemainder<R: ~Copyable, E: Error>(
    _ body: (Span<UInt8>) throws(E) -> R
  ) throws(E) -> R {
    try window.span(consumed..<window.count, body)
  }
}
