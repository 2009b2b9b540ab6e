// The question about one key, as most tests ask it.

import ReplicaLink

@testable import Migr8Sync

extension RepairQuestion {
  func commands(for key: [UInt8]) -> [[[UInt8]]] { commands(for: [key]) }

  func answer(_ reply: RESPValue, for name: KeyName) -> RepairAnswer? {
    answers(reply, for: [name])?.first
  }
}
