// What is warned of before attaching: each rule just below and just above where it begins, the numbers
// in its line, and what is made of the answers of real servers.

import Testing

@testable import Migr8Sync

@Suite("Warnings before attaching") struct AttachWarningTests {
  static let megabyte: UInt64 = 1 << 20
  static let gigabyte: UInt64 = 1 << 30

  /// A source that there is nothing to say about.
  private var calm: AttachConditions {
    var conditions = AttachConditions()
    conditions.version = ServerVersion(7)
    conditions.usedMemoryBytes = Self.gigabyte
    conditions.machineMemoryBytes = 8 * Self.gigabyte
    conditions.attachedReplicas = 1
    conditions.hasBacklog = true
    conditions.backlogBytes = 128 * Self.megabyte
    conditions.backlogTTLSeconds = 3600
    conditions.outputLimit = AttachConditions.OutputLimit(
      hardBytes: 256 * Self.megabyte, softBytes: 64 * Self.megabyte, softSeconds: 60)
    conditions.replicasToWrite = 0
    conditions.disklessDelaySeconds = 5
    conditions.writeBytesPerSecond = Self.megabyte
    return conditions
  }

  private func warnings(
    _ change: (inout AttachConditions) -> Void
  ) -> [AttachWarning] {
    var conditions = calm
    change(&conditions)
    return AttachWarning.all(conditions)
  }

  /// The one line that a change brings.
  private func line(
    _ subject: AttachWarning.Subject, sourceLocation: SourceLocation = #_sourceLocation,
    _ change: (inout AttachConditions) -> Void
  ) -> String {
    let found = warnings(change)
    #expect(found.map(\.subject) == [subject], sourceLocation: sourceLocation)
    let text = found.first?.text ?? ""
    #expect(!text.contains("\n"), sourceLocation: sourceLocation)
    return text
  }

  @Test func aCalmSourceIsNotWarnedOf() {
    #expect(AttachWarning.all(calm) == [])
  }

  @Test func aSourceThatToldNothingIsNotWarnedOf() {
    #expect(AttachWarning.all(AttachConditions()) == [])
  }

  @Test func theForkNeedsRoom() {
    #expect(warnings { $0.machineMemoryBytes = 2 * Self.gigabyte } == [])
    let text = line(.memory) { $0.machineMemoryBytes = 2 * Self.gigabyte - 1 }
    #expect(text.contains("1.00 GB") && text.contains("1.99 GB"), "\(text)")
    #expect(text.contains("overcommit_memory"))
    // A source in a container may not know its machine.
    #expect(warnings { $0.machineMemoryBytes = 0 } == [])
    _ = line(.memory) {
      $0.usedMemoryBytes = .max; $0.lastSnapshotSeconds = 1
    }
  }

  @Test func aSnapshotThatFailedIsTold() {
    let text = line(.lastSnapshot) { $0.lastSnapshotFailed = true }
    #expect(text.contains("rdb_last_bgsave_status"))
  }

  @Test func aNewBacklogCountsTowardsMaxmemory() {
    let full = Self.gigabyte + 128 * Self.megabyte
    #expect(
      warnings {
        $0.hasBacklog = false; $0.maxmemoryBytes = full
      } == [])
    #expect(warnings { $0.maxmemoryBytes = full - 1 } == [])
    let text = line(.backlogMemory) {
      $0.hasBacklog = false; $0.maxmemoryBytes = full - 1
    }
    #expect(text.contains("128 MB") && text.contains("evict"), "\(text)")
  }

  // MARK: - client-output-buffer-limit

  @Test func theHardLimitMustHoldTheWritesOfASnapshot() {
    let limit = AttachConditions.OutputLimit(
      hardBytes: 200 * Self.megabyte, softBytes: 0, softSeconds: 0)
    #expect(
      warnings {
        $0.outputLimit = limit; $0.lastSnapshotSeconds = 200
      } == [])
    let text = line(.outputLimit) {
      $0.outputLimit = limit; $0.lastSnapshotSeconds = 201
    }
    #expect(text.contains("allows a replica 200 MB, but 201 MB"), "\(text)")
    #expect(text.contains("1.00 MB/s for about 201 s"), "\(text)")
    #expect(text.contains("\"replica 512mb 512mb 60\""), "\(text)")
  }

  @Test func withoutASnapshotSoFarItsTimeIsEstimated() {
    // 1 GB at 50 MB/s: 20 s of 20 MB/s.
    let text = line(.outputLimit) {
      $0.writeBytesPerSecond = 20 * Self.megabyte
      $0.backlogBytes = 2 * Self.gigabyte
      $0.version = ServerVersion(6, 2)
    }
    #expect(text.contains("256 MB, but 400 MB"), "\(text)")
  }

  /// From 7.0 a limit below the backlog's size counts as that size.
  @Test func aNewerSourceRaisesTheLimitToTheBacklog() {
    let limit = AttachConditions.OutputLimit(hardBytes: 1, softBytes: 0, softSeconds: 0)
    #expect(
      warnings {
        $0.outputLimit = limit; $0.lastSnapshotSeconds = 128
      } == [])
    _ = line(.outputLimit) {
      $0.outputLimit = limit; $0.lastSnapshotSeconds = 129
    }
    _ = line(.outputLimit) {
      $0.outputLimit = limit
      $0.lastSnapshotSeconds = 1
      $0.version = ServerVersion(6, 2, 14)
    }
  }

  /// Over the soft limit it takes so many seconds more until the link is dropped.
  @Test func theSoftLimitHasItsTime() {
    let limit = AttachConditions.OutputLimit(
      hardBytes: 0, softBytes: 64 * Self.megabyte, softSeconds: 60)
    #expect(
      warnings {
        $0.outputLimit = limit; $0.lastSnapshotSeconds = 124
      } == [])
    let text = line(.outputLimit) {
      $0.outputLimit = limit; $0.lastSnapshotSeconds = 125
    }
    #expect(text.contains("64.0 MB for 60 s"), "\(text)")
  }

  @Test func noLimitAndNoWritesAreNoDanger() {
    let none = AttachConditions.OutputLimit(hardBytes: 0, softBytes: 0, softSeconds: 0)
    #expect(
      warnings {
        $0.outputLimit = none; $0.lastSnapshotSeconds = 1_000_000
      } == [])
    #expect(
      warnings {
        $0.writeBytesPerSecond = 0; $0.lastSnapshotSeconds = 1_000_000
      } == [])
  }

  // MARK: - The backlog

  @Test func theBacklogShouldHoldAMinute() {
    #expect(warnings { $0.backlogBytes = 60 * Self.megabyte } == [])
    let text = line(.backlogSize) { $0.backlogBytes = 60 * Self.megabyte - 1 }
    #expect(text.contains("59.9 MB holds 59 s of writes at 1.00 MB/s"), "\(text)")
    #expect(text.contains("repl-backlog-size 64mb"), "\(text)")
    let bound = line(.backlogSize) {
      $0.backlogBytes = Self.megabyte
      $0.writesAreUpperBound = true
    }
    #expect(bound.contains("at most 1.00 MB/s") && bound.contains("holds 1.0 s"), "\(bound)")
  }

  @Test func aBacklogThatIsSoonForgotten() {
    #expect(warnings { $0.backlogTTLSeconds = 10 } == [])
    let text = line(.backlogTTL) {
      $0.backlogTTLSeconds = 10; $0.attachedReplicas = 0
    }
    #expect(text.contains("10 s after its last replica"), "\(text)")
    // 0 means for ever.
    for seconds: UInt64 in [0, 60] {
      #expect(
        warnings {
          $0.backlogTTLSeconds = seconds; $0.attachedReplicas = 0
        } == [])
    }
  }

  // MARK: - Other settings

  @Test func theToolCountsAsAReplica() {
    let text = line(.replicasToWrite) { $0.replicasToWrite = 2 }
    #expect(text.contains("with 2 replicas") && text.contains("1 attached now"), "\(text)")
    #expect(text.contains("CONFIG SET min-replicas-to-write 3"), "\(text)")
  }

  @Test func aLongDelayIsTold() {
    let text = line(.disklessDelay) { $0.disklessDelaySeconds = 6 }
    #expect(text.contains("waits 6 s"), "\(text)")
  }

  @Test func whatCouldNotBeCheckedIsNamed() {
    let text = line(.untold) { $0.untold = ["repl-backlog-ttl", "other"] }
    #expect(text.contains("could not be checked: repl-backlog-ttl, other"), "\(text)")
  }

  @Test func extremeNumbersAreSurvived() {
    let values: [UInt64] = [0, 1, .max / 2, .max]
    for rate in values {
      for size in values {
        let found = warnings {
          $0.writeBytesPerSecond = rate
          $0.usedMemoryBytes = size
          $0.maxmemoryBytes = size
          $0.hasBacklog = false
          $0.backlogBytes = size
          $0.backlogTTLSeconds = size
          $0.lastSnapshotSeconds = size
          $0.replicasToWrite = size
          $0.outputLimit = AttachConditions.OutputLimit(
            hardBytes: size, softBytes: size, softSeconds: size)
        }
        for warning in found { #expect(!warning.text.isEmpty) }
      }
    }
  }

  // MARK: - What servers say

  @Test(arguments: [
    "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
    "normal 0 0 0 replica 268435456 67108864 60 pubsub 33554432 8388608 60",
    "slave 268435456 67108864 60",
  ])
  func theLimitOfReplicasIsFound(setting: String) {
    let limit = AttachConditions.replicaLimit(setting)
    #expect(limit?.hardBytes == 268_435_456)
    #expect(limit?.softBytes == 67_108_864)
    #expect(limit?.softSeconds == 60)
  }

  @Test(arguments: ["", "normal 0 0 0", "slave", "slave 1 2", "slave a b c", "slave -1 0 0"])
  func aSettingThatMakesNoSenseIsNoLimit(setting: String) {
    #expect(AttachConditions.replicaLimit(setting) == nil)
  }

  @Test func theFieldsOfINFO() {
    var conditions = AttachConditions()
    conditions.take(
      ServerFacts(
        info: """
          # Server\r
          redis_version:7.0.15\r
          used_memory:1048576\r
          total_system_memory:2097152\r
          maxmemory:0\r
          rdb_last_bgsave_status:err\r
          rdb_last_bgsave_time_sec:-1\r
          instantaneous_input_kbps:2.50\r
          connected_slaves:0\r
          repl_backlog_active:0\r
          repl_backlog_size:1048576\r
          """))
    #expect(conditions.version == ServerVersion(7, 0, 15))
    #expect(conditions.usedMemoryBytes == 1 << 20 && conditions.machineMemoryBytes == 2 << 20)
    #expect(conditions.maxmemoryBytes == nil && conditions.lastSnapshotSeconds == nil)
    #expect(conditions.lastSnapshotFailed && !conditions.hasBacklog)
    #expect(conditions.attachedReplicas == 0 && conditions.backlogBytes == 1 << 20)
    #expect(conditions.writeBytesPerSecond == 2560 && conditions.writesAreUpperBound)
  }
}
