// Screen: a small terminal, so that what the display leaves on one can be looked at. It knows the
// control sequences of ECMA-48 that the display uses, and stops the test at any other.

/// A terminal of a width, with its cursor; rows are never dropped.
struct Screen {
  private(set) var columns: Int
  private(set) var rows: [[Character]] = [[]]
  private(set) var row = 0
  private(set) var column = 0
  /// Rows that are the continuation of the one above, because it did not fit.
  private var continued: Set<Int> = []

  init(columns: Int) {
    self.columns = columns
  }

  /// What is visible, without empty rows at the end.
  var text: [String] {
    var lines = rows.map { String($0) }
    while lines.last?.isEmpty == true { lines.removeLast() }
    return lines
  }

  mutating func write(_ bytes: String) {
    var rest = Substring(bytes)
    while let character = rest.popFirst() {
      switch character {
      case "\r": column = 0
      case "\n": newLine()
      case "\u{1B}": escape(&rest)
      default: put(character)
      }
    }
  }

  /// Makes the terminal narrower the way most do: lines that no longer fit are wrapped.
  mutating func narrow(to width: Int) {
    let lines = rows
    (rows, columns) = ([[]], width)
    (row, column) = (0, 0)
    for (index, line) in lines.enumerated() {
      if index > 0 { newLine() }
      for character in line { put(character) }
    }
  }

  private mutating func escape(_ rest: inout Substring) {
    precondition(rest.popFirst() == "[", "only control sequences are known")
    let digits = rest.prefix { $0.isNumber }
    rest = rest.dropFirst(digits.count)
    let number = Int(digits) ?? 0
    switch rest.popFirst() {
    case "A": row = max(0, row - max(1, number))
    case "K": rows[row] = Array(rows[row].prefix(column))
    case "J":
      rows[row] = Array(rows[row].prefix(column))
      rows.removeSubrange((row + 1)...)
    case "m": break
    case let other: preconditionFailure("unknown control sequence \(String(describing: other))")
    }
  }

  /// A terminal driver turns a newline into a return and a step down.
  private mutating func newLine() {
    column = 0
    row += 1
    if row == rows.count { rows.append([]) }
  }

  private mutating func put(_ character: Character) {
    if column == columns { newLine() }
    while rows[row].count <= column { rows[row].append(" ") }
    rows[row][column] = character
    column += 1
  }
}
