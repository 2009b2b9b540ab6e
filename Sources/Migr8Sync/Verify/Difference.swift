// A key that is not the same at both ends, in words and as JSON.

import ReplicaLink

/// One key that differs.
struct Difference: Sendable, Equatable {
  /// The key as the source calls it.
  var name: KeyName
  /// The same key at the destination.
  var destinationName: KeyName
  var cause: DifferenceCause
  /// The first element that differs, in words; empty where the cause says it all.
  var detail = ""

  /// One line without its end.
  var text: String {
    let cause = self.cause.rawValue
    let padding = String(repeating: " ", count: max(0, 9 - cause.utf8.count))
    let place =
      name == destinationName ? "\(name)" : "\(name), at the destination \(destinationName)"
    return cause + padding + " " + place + (detail.isEmpty ? "" : ": \(detail)")
  }

  var json: JSONObject {
    var object = JSONObject()
    object.add("event", "difference")
    object.add("cause", cause.rawValue)
    object.add("key", bytes: name.key)
    object.add("db", UInt64(clamping: name.database))
    if name != destinationName {
      object.add("dest_key", bytes: destinationName.key)
      object.add("dest_db", UInt64(clamping: destinationName.database))
    }
    if !detail.isEmpty { object.add("detail", detail) }
    return object
  }
}
