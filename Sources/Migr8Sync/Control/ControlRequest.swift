// What may be asked of a running job, and how it is written: one JSON object on a line.
//
//   {"command":"status"}
//   {"command":"throttle","rate":"5000,10mb"}
//   {"command":"verify","max-rate":"5000"}            the rate may be left out
//   {"command":"cutover","fence":"pause", ...}        the members are CutoverSettings'

/// A request, read and checked.
enum ControlRequest: Sendable {
  case status
  case pause
  case resume
  case throttle(RateLimit)
  case cutover(CutoverSettings)
  /// The end of a reverse, and with it of the job.
  case complete
  case verify(keysPerSecondMax: UInt64?)
  case stop

  /// Why a line is no request.
  struct Problem: Error, Sendable, CustomStringConvertible {
    let description: String
  }

  private static let names = [
    "status", "pause", "resume", "throttle", "cutover", "complete", "verify", "stop",
  ]

  /// Reads the line of a request, without its end.
  init(line: [UInt8]) throws(Problem) {
    let value: JSONValue
    do {
      value = try JSONValue(line)
    } catch {
      throw Problem(
        description: "this is not JSON: \(error) (write it as {\"command\":\"status\"})")
    }
    guard case .object(var members) = value, let name = members.removeValue(forKey: "command")?.text
    else {
      throw Problem(
        description: "the command is missing (write it as {\"command\":\"status\"})")
    }
    switch name {
    case "status": self = .status
    case "pause": self = .pause
    case "resume": self = .resume
    case "verify":
      var rate: UInt64?
      if let value = members.removeValue(forKey: "max-rate") {
        guard let number = value.text.flatMap({ Quantity.keyRate($0) }) else {
          throw Problem(description: "verify takes as \"max-rate\" a number of keys a second")
        }
        rate = number
      }
      self = .verify(keysPerSecondMax: rate)
    case "stop": self = .stop
    case "complete": self = .complete
    case "throttle":
      guard let rate = members.removeValue(forKey: "rate")?.text, let limit = RateLimit(rate) else {
        throw Problem(description: "throttle takes a \"rate\": \(RateLimit.form)")
      }
      self = .throttle(limit)
    case "cutover":
      self = .cutover(try CutoverSettings(taking: &members))
    default:
      throw Problem(
        description: "unknown command; there are \(Self.names.joined(separator: ", "))")
    }
    guard let stranger = members.keys.min() else { return }
    throw Problem(description: "\(name) takes no \(JSONObject.quoted(stranger))")
  }
}
