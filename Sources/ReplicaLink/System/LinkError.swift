// The one error type of this library: what was being done, to what, why it failed, what to do.

/// Why a connection, a handshake or the replication stream ended.
///
/// Printed as one line: `connecting to 10.0.0.7:6379: connection refused (is the server running?)`.
/// Never holds a password.
public struct LinkError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The kind of failure, for code that has to choose.
  public enum Code: Sendable, Equatable {
    /// The host name has no address.
    case unresolvable
    /// Nobody listens there, or a firewall said no.
    case refused
    /// No answer within the time allowed.
    case timedOut
    /// The peer closed or reset the connection.
    case closed
    /// The peer speaks another protocol.
    case notRedis
    /// TLS came to nothing: a certificate was not accepted, or the two ends do not both speak it.
    case tls
    /// The password or user is wrong or missing.
    case authentication
    /// The user may not run a command that is needed.
    case permission
    /// The server answers only its own host until it has a password.
    case protectedMode
    /// The server is still reading its dataset.
    case loading
    /// The server is a replica that has lost its own master.
    case masterLinkDown
    /// The server is not the master that it was said to be.
    case notMaster
    /// The server is occupied, by a script for instance.
    case busy
    /// The server answered with an error that has no code of its own here.
    case rejected
    /// Bytes that break the protocol.
    case protocolViolation
    /// The local disk, memory or descriptors did not suffice.
    case localResource
    /// This program asked the link to stop.
    case stopped
  }

  /// The kind of failure.
  public let code: Code
  /// What was being done and to what, such as `connecting to 10.0.0.7:6379`.
  public let action: String
  /// Why it failed.
  public let reason: String
  /// What the operator can do, if anything is known.
  public let advice: String?

  /// Makes an error from its parts.
  public init(_ code: Code, _ action: String, _ reason: String, advice: String? = nil) {
    self.code = code
    self.action = action
    self.reason = reason
    self.advice = advice
  }

  /// Whether the same attempt may succeed later without anybody changing anything.
  public var isRetryable: Bool {
    switch code {
    case .refused, .timedOut, .closed, .notMaster: true
    default: isTemporary
    }
  }

  /// Whether the server itself has said that it will be ready later.
  public var isTemporary: Bool {
    switch code {
    case .loading, .masterLinkDown, .busy: true
    default: false
    }
  }

  /// One line without a line break.
  public var description: String {
    let line = "\(action): \(reason)"
    guard let advice else { return line }
    return "\(line) (\(advice))"
  }
}
