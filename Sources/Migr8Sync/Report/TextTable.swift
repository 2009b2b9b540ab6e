// TextTable: columns that line up.

/// Lays rows out in columns.
enum TextTable {
  /// Each row as a line, two spaces between columns; the columns in `right` are aligned right.
  static func lines(_ rows: [[String]], right: Set<Int>) -> [String] {
    var widths: [Int] = []
    for row in rows {
      for (column, cell) in row.enumerated() {
        if column == widths.count { widths.append(0) }
        widths[column] = max(widths[column], cell.count)
      }
    }
    return rows.map { row in
      let cells = row.enumerated().map { column, cell in
        let space = String(repeating: " ", count: widths[column] - cell.count)
        if right.contains(column) { return space + cell }
        return column == row.count - 1 ? cell : cell + space
      }
      return "  " + cells.joined(separator: "  ")
    }
  }
}
