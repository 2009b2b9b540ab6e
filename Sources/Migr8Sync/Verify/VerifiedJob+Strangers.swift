// Records at a destination of which nobody can say whose they are. A source that has restarted, or was failed
// over twice, has forgotten the history that a job's record names; a copy by SCAN, and a job that waits for
// its snapshot, name none. Such a job, begun again, takes a new snapshot and removes at the destination what
// the source does not hold: what is removed at the source now would be gone at both ends.
//
// Only where a record names another address, and prefixes that have nothing in common with the rules, it is
// somebody else's: addresses alone tell little, because a server has several. Without I/O.

import ReplicaLink

extension VerifiedJob {
  /// Why one of the jobs may be this source's although the source does not know its history; nil when none
  /// may be.
  static func stranger(
    among entries: [JobCatalogue.Entry], _ plan: VerifyPlan, _ source: ServerFacts
  ) -> String? {
    for entry in entries {
      let mayWrite = entry.runner?.mayWrite ?? false
      // What is left of a job without a record begins nothing.
      if entry.fields.isEmpty, !mayWrite { continue }
      if let id = entry.fields["replid"], source.knowsHistory(id) { continue }
      if plan.unrelatedJobs.contains(entry.name) || isAnothers(entry.fields, plan) { continue }
      let address = entry.fields["source"].map { "from \($0) " } ?? ""
      let forget = "'migr8sync jobs -d \(plan.destination.url.endpoint)/\(entry.database) --forget"
      return "job \(entry.name) \(address)to db \(entry.database) of"
        + " \(plan.destination.url.endpoint) \(mayWrite ? "runs" : "may go on with a new snapshot"),"
        + " and it cannot be told from one that follows this source"
        + " (\(mayWrite ? "end it" : "if it is over"), then \(forget) \(entry.name)'; if its source is surely"
        + " another server, add --unrelated-job \(entry.name))"
    }
    return nil
  }

  /// Whether a record is clearly of another source, and of other keys.
  private static func isAnothers(_ fields: [String: String], _ plan: VerifyPlan) -> Bool {
    guard let address = fields["source"], address != "\(plan.source.url.endpoint)",
      let prefixes = prefixes(inRules: fields["rules"] ?? "")
    else { return false }
    return prefixes.allSatisfy { !plan.mapping.filter.mayMatchKey(startingWith: $0.span) }
  }

  /// The prefixes of which every key begins with one; nil where the rules do not say so plainly.
  static func prefixes(inRules rules: String) -> [[UInt8]]? {
    var prefixes: [[UInt8]] = []
    for part in rules.split(separator: ",", omittingEmptySubsequences: false) {
      let words = part.drop { $0 == " " }
      if words.hasPrefix("prefix ") {
        // A prefix in quotes may have anything in it.
        guard !words.contains("\"") else { return nil }
        prefixes.append(Array(words.dropFirst("prefix ".count).utf8))
      } else if ["match ", "regex ", "every key", "and "].contains(where: words.hasPrefix) {
        return nil
      }
    }
    return prefixes.isEmpty ? nil : prefixes
  }
}
