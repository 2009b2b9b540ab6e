// What stands in for TLS where the package was built without OpenSSL: a session that cannot exist.

#if !canImport(COpenSSL)
  /// Never made: `Socket.secure` throws instead.
  enum TLSSession: Sendable {
    var readEvents: Int32 { 0 }
    var writeEvents: Int32 { 0 }
    var hasPendingInput: Bool { false }

    func receive(into buffer: UnsafeMutableRawBufferPointer) throws(LinkError) -> Socket.Transfer {
      .endOfStream
    }

    func send(_ bytes: UnsafeRawBufferPointer) throws(LinkError) -> Socket.Transfer {
      .endOfStream
    }

    func close() {}
  }
#endif
