// The order of a cutover: the whole way there, and from every step of it the way back.

import Testing

@testable import Migr8Sync

@Suite("The order of a cutover")
struct CutoverMachineTests {
  private func settings(_ values: [String: String] = [:]) throws -> CutoverSettings {
    try CutoverSettings(
      ["on-cutover": "x", "on-ready": "y", "postpone-file": "/f", "reverse": ""].merging(values) {
        $1
      })
  }

  private static let way: [CutoverStep] = [
    .examine, .observe, .ready, .postpone, .attach, .fence, .drain, .check, .mark, .handOver, .lift,
    .turn, .settle, .finish,
  ]

  /// Goes along until `failing`, which fails, then to the end.
  private func walk(
    _ settings: CutoverSettings, failing: CutoverStep? = nil, fenceLasts: Int64 = 5_000
  ) -> (steps: [CutoverStep], machine: CutoverMachine) {
    var machine = CutoverMachine(settings)
    var steps = [machine.step]
    var hasFailed = false
    while machine.step != .finish, machine.step != .giveUp {
      if machine.step == .fence { machine.fenceBegins(endsMilliseconds: fenceLasts) }
      if machine.step == failing, !hasFailed {
        hasFailed = true
        steps.append(machine.failed("broken", nowMilliseconds: 0))
      } else {
        steps.append(machine.succeeded(nowMilliseconds: 0))
      }
    }
    return (steps, machine)
  }

  @Test func theWayThere() throws {
    let (steps, machine) = walk(try settings())
    #expect(steps == Self.way)
    #expect(machine.failure == nil && machine.isHandedOver && machine.troubles.isEmpty)
    let carrying = try CutoverSettings(["check-time": "0ms", "queued": "carry"])
    #expect(
      walk(carrying).steps == [
        .examine, .fence, .drain, .mark, .lift, .carry, .settle, .finish,
      ])
  }

  @Test func whatIsNotAskedForIsLeftOut() throws {
    let plain = try CutoverSettings(["check-time": "0ms"])
    #expect(
      walk(plain).steps == [.examine, .fence, .drain, .mark, .lift, .settle, .finish])
  }

  /// The fence is lifted first, whatever else has to be taken back.
  @Test(arguments: way.prefix { $0 != .lift })
  func theWayBack(from step: CutoverStep) throws {
    let (steps, machine) = walk(try settings(), failing: step)
    let back = Array(steps[(Self.way.firstIndex(of: step)! + 1)...])
    let expected: [CutoverStep] =
      switch step {
      case .examine: [.giveUp]
      case .observe, .ready, .postpone: [.tell, .giveUp]
      case .attach: [.detach, .tell, .giveUp]
      case .fence, .drain, .check: [.lower, .reopen, .detach, .tell, .giveUp]
      default: [.lower, .reopen, .unmark, .detach, .tell, .giveUp]
      }
    #expect(back == expected)
    #expect(machine.failure == "\(step.rawValue): broken")
    #expect(!machine.isHandedOver)
  }

  /// Behind the hand-over there is no way back: what fails is told.
  @Test(arguments: [CutoverStep.lift, .turn, .settle])
  func behindTheHandOver(step: CutoverStep) throws {
    let (steps, machine) = walk(try settings(), failing: step)
    #expect(steps == Self.way)
    #expect(machine.failure == nil && machine.troubles == ["\(step.rawValue): broken"])
  }

  /// What fails on the way back does not end it.
  @Test(arguments: [CutoverStep.lower, .reopen, .unmark, .detach, .tell])
  func troubleOnTheWayBack(step: CutoverStep) throws {
    var machine = CutoverMachine(try settings())
    while machine.step != .handOver {
      if machine.step == .fence { machine.fenceBegins(endsMilliseconds: 5_000) }
      _ = machine.succeeded(nowMilliseconds: 0)
    }
    _ = machine.failed("hook", nowMilliseconds: 0)
    var seen: Set<CutoverStep> = []
    while machine.step != .giveUp {
      seen.insert(machine.step)
      if machine.step == step {
        _ = machine.failed("worse", nowMilliseconds: 0)
      } else {
        _ = machine.succeeded(nowMilliseconds: 0)
      }
    }
    #expect(seen == [.lower, .reopen, .unmark, .detach, .tell])
    #expect(machine.failure == "switch: hook")
    #expect(machine.troubles == ["\(step.rawValue): worse"])
  }

  /// The hand-over begins only when enough of the fence is left, with a hook or without.
  @Test(arguments: [true, false])
  func aFenceThatIsNearlyOver(hasHook: Bool) throws {
    let settings = try hasHook ? settings() : CutoverSettings([:])
    let reserve = CutoverSettings.reserveMilliseconds
    let late = walk(settings, fenceLasts: reserve - 1)
    #expect(late.machine.failure?.contains("of the fence are left") == true)
    #expect(
      late.steps.filter { $0 != .detach }.suffix(5) == [.lower, .reopen, .unmark, .tell, .giveUp])
    #expect(walk(settings, fenceLasts: reserve).machine.failure == nil)
  }
}
