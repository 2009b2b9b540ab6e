// What a server's error line means for somebody who wanted to connect: the one place that maps the
// well-known first words to error codes and advice.

/// Turns error replies into `LinkError`s.
public enum ServerRefusal {
  /// The error for `line`, the answer to a login: with no word of what was sent.
  static func login(_ line: String, _ credentials: Credentials, peer: String) -> LinkError {
    let password = credentials.password
    let shown = password.isEmpty ? line : line.replacing(password, with: "***")
    return error(shown, action: "logging in to \(peer)")
  }

  /// The error for `line`, the text of an error reply without its `-`.
  ///
  /// - Parameter action: what was being done, such as `logging in to 10.0.0.7:6379`.
  public static func error(_ line: String, action: String) -> LinkError {
    // Servers since 5.0 repeat the arguments of a command that they do not know, a password included.
    let arguments = line.firstRange(of: ", with args beginning with")
    let line = arguments.map { String(line[..<$0.lowerBound]) } ?? line
    let word = line.prefix { $0 != " " }
    switch word {
    case "WRONGPASS":
      return LinkError(
        .authentication, action, "the user or password is wrong",
        advice: "check the URL, the password file or the environment variable")
    case "NOAUTH":
      return LinkError(
        .authentication, action, "the server wants a password",
        advice: "put it into the URL, a password file or the environment variable")
    case "NOPERM":
      return LinkError(
        .permission, action, lowercasedFirst(line.dropFirst(word.count + 1)),
        advice: "grant it with ACL SETUSER, see the documentation of sync")
    case "DENIED":
      return LinkError(
        .protectedMode, action, "the server runs in protected mode and answers its own host only",
        advice: "set a password on it, or protected-mode no where the network is safe")
    case "LOADING":
      return LinkError(
        .loading, action, "the server is still loading its dataset",
        advice: "try again when INFO persistence says loading:0")
    case "MASTERDOWN", "NOMASTERLINK":
      return LinkError(
        .masterLinkDown, action, "the server is a replica whose link to its master is down",
        advice: "wait for the link, or name its master as the source")
    case "BUSY", "TRYAGAIN":
      return LinkError(
        .busy, action, lowercasedFirst(line.dropFirst(word.count + 1)), advice: "try again later")
    default:
      // Servers before 4.0 have no word of its own for this.
      if line.contains("SYNC while not connected with my master") {
        return error("NOMASTERLINK", action: action)
      }
      if line.contains("invalid password") || line.contains("AUTH <password> called without")
        || line.contains("without any password configured") || line.contains("no password is set")
      {
        return LinkError(
          .authentication, action, lowercasedFirst(line.dropFirst(word == "ERR" ? 4 : 0)),
          advice: "check the user and password in the URL")
      }
      return LinkError(.rejected, action, "the server answered: \(printable(line))")
    }
  }

  private static func lowercasedFirst(_ text: Substring) -> String {
    let line = printable(String(text))
    return line.prefix(1).lowercased() + line.dropFirst()
  }

  /// One line of at most 300 characters, whatever the peer sent.
  static func printable(_ text: String) -> String {
    // Control characters of both ranges could move the operator's cursor or colour his terminal.
    String(
      text.prefix(300).map { character in
        character.unicodeScalars.allSatisfy { !(0..<32 ~= $0.value || 127..<160 ~= $0.value) }
          ? character : "?"
      })
  }
}
