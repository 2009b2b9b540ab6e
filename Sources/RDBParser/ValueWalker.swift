// Runs the grammar over bytes that arrive in any portions. It is the only code that knows how a value
// is laid out in a file: raw reading runs it to the end, element reading runs it step by step.

/// What a run of the walker ended with.
enum WalkResult: UInt8 {
  /// The value ends at the scanner's position.
  case done
  /// All the bytes there are have been used, but for the beginning of a field.
  case short
  /// The bytes at the scanner's position make no sense.
  case badLength
  case badEncoding
  case badCompression
  case badModuleData
  case badTag
}

/// One step that was just read, for readers of elements.
struct WalkedStep {
  var form = StepForm.done
  var kind = ElementKind.none
  /// Position of the step's first byte.
  var start = 0
  /// The value of a length or count; the size of fixed bytes; the length byte of a text score.
  var number: UInt64 = 0
}

/// A place in the grammar: the next step, the rounds left of the loops around it, and how much of
/// a payload is still to be passed over. It has no buffer and never looks back.
struct ValueWalker {
  private var next = 0
  private var depth = 0
  private var rounds: InlineArray<3, UInt64> = .init(repeating: 0)
  /// Bytes of the present payload that have not been passed yet.
  var payload: UInt64 = 0

  /// Puts the walker before the first byte of what begins at `start` in the grammar.
  @inline(__always)
  mutating func begin(_ start: Int) {
    next = start
    depth = 0
    payload = 0
  }

  /// Walks until the value or the bytes end.
  @inline(__always)
  mutating func walk(_ scanner: inout ByteScanner, _ steps: Span<GrammarStep>) -> WalkResult {
    var ignored = WalkedStep()
    while true {
      if payload > 0 && !passPayload(&scanner) { return .short }
      let form = steps[next].form
      if form == .done { return .done }
      let result = step(&scanner, steps, &ignored)
      if result != .done { return result }
    }
  }

  /// The step that comes next, for readers of elements; its bytes have not been looked at.
  @inline(__always)
  func upcoming(_ steps: Span<GrammarStep>) -> GrammarStep { steps[next] }

  /// Goes on behind a string or tagged item that a reader of elements has taken with its payload.
  @inline(__always)
  mutating func passString() { next += 1 }

  /// Passes over what there is of the present payload; false when more of it is to come.
  @inline(__always)
  mutating func passPayload(_ scanner: inout ByteScanner) -> Bool {
    let available = UInt64(scanner.available)
    if payload > available {
      payload -= available
      scanner.position = scanner.end
      return false
    }
    scanner.position += Int(payload)
    payload = 0
    return true
  }

  /// Reads one step; `done` here means the step is complete. On `short` nothing has moved.
  @inline(__always)
  mutating func step(
    _ scanner: inout ByteScanner, _ steps: Span<GrammarStep>, _ walked: inout WalkedStep
  ) -> WalkResult {
    let current = steps[next]
    let start = scanner.position
    walked.form = current.form
    walked.kind = current.kind
    walked.start = start
    switch current.form {
    case .string:
      let field = scanner.string(at: start)
      guard field.status == .complete else { return Self.result(field.status) }
      payload = field.payloadSize
      scanner.position = start + field.headerSize
      next += 1
    case .length, .count:
      let field = scanner.length(at: start)
      guard field.size > 0 && !field.isEncoding else {
        return field.size == 0 ? .short : .badLength
      }
      walked.number = field.value
      scanner.position = start + field.size
      if current.form == .count {
        rounds[depth] = field.value
        depth += 1
      }
      next += 1
    case .fixed:
      guard scanner.available >= Int(current.argument) else { return .short }
      scanner.position = start + Int(current.argument)
      walked.number = UInt64(current.argument)
      next += 1
    case .loop:
      if rounds[depth - 1] == 0 {
        depth -= 1
        next = Int(current.argument)
      } else {
        next += 1
      }
    case .again:
      rounds[depth - 1] -= 1
      if rounds[depth - 1] == 0 {
        depth -= 1
        next += 1
      } else {
        next = Int(current.argument)
      }
    case .textScore:
      guard scanner.available >= 1 else { return .short }
      let length = scanner.byte(start)
      let textLength = length >= 253 ? 0 : Int(length)
      guard scanner.available > textLength else { return .short }
      walked.number = UInt64(length)
      scanner.position = start + 1 + textLength
      next += 1
    case .moduleData:
      return moduleStep(&scanner)
    case .optionalString, .optionalLength, .tagged:
      return prefixedStep(&scanner, current.form)
    case .mark, .done:
      next += 1
    }
    return .done
  }

  private static func result(_ status: StringField.Status) -> WalkResult {
    switch status {
    case .complete: .done
    case .short: .short
    case .badLength: .badLength
    case .badEncoding: .badEncoding
    case .badCompression: .badCompression
    }
  }

  /// One module opcode with its operand. Opcodes: rdb-format.md §4, Module opcodes.
  private mutating func moduleStep(_ scanner: inout ByteScanner) -> WalkResult {
    let start = scanner.position
    let opcode = scanner.length(at: start)
    guard opcode.size > 0 && !opcode.isEncoding else {
      return opcode.size == 0 ? .short : .badLength
    }
    let operand = start + opcode.size
    switch opcode.value {
    case 0:
      scanner.position = operand
      next += 1
    case 1, 2:
      let number = scanner.length(at: operand)
      guard number.size > 0 && !number.isEncoding else {
        return number.size == 0 ? .short : .badLength
      }
      scanner.position = operand + number.size
    case 3, 4:
      let size = opcode.value == 3 ? 4 : 8
      guard scanner.end - operand >= size else { return .short }
      scanner.position = operand + size
    case 5:
      let field = scanner.string(at: operand)
      guard field.status == .complete else { return Self.result(field.status) }
      payload = field.payloadSize
      scanner.position = operand + field.headerSize
    default:
      return .badModuleData
    }
    return .done
  }

  /// A length field that says what follows it.
  private mutating func prefixedStep(
    _ scanner: inout ByteScanner, _ form: StepForm
  ) -> WalkResult {
    let start = scanner.position
    let prefix = scanner.length(at: start)
    guard prefix.size > 0 && !prefix.isEncoding else {
      return prefix.size == 0 ? .short : .badLength
    }
    let operand = start + prefix.size
    var end = operand
    switch (form, prefix.value) {
    case (.optionalString, 0), (.optionalLength, 0):
      break
    case (.optionalString, _), (.tagged, 0), (.tagged, 3):
      let field = scanner.string(at: operand)
      guard field.status == .complete else { return Self.result(field.status) }
      payload = field.payloadSize
      end = operand + field.headerSize
    case (.optionalLength, _):
      let number = scanner.length(at: operand)
      guard number.size > 0 && !number.isEncoding else {
        return number.size == 0 ? .short : .badLength
      }
      end = operand + number.size
    case (.tagged, 1), (.tagged, 2):
      guard scanner.end - operand >= 8 else { return .short }
      end = operand + 8
    default:
      return .badTag
    }
    scanner.position = end
    next += 1
    return .done
  }
}
