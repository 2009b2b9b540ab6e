// A loader's batch that was sent and not answered whole, to be sent once more on another connection.
// What of it the destination has carried out is not known; so it overwrites, as a repeated
// snapshot does. Commands that were answered are left out.

import ReplicaLink

extension Batch {
  /// The same commands from number `first` on.
  ///
  /// - Parameter overwriting: whether commands that spare what is there are to overwrite it: it may be
  ///   theirs.
  func again(from first: Int, overwriting: Bool) -> Batch {
    let copy = Batch()
    copy.isOverwriting = isOverwriting || overwriting
    // What is sent a third time does so already.
    let overwriting = overwriting && !isOverwriting
    copy.keyCount = keyCount
    copy.database = database
    copy.stringLength = stringLength
    copy.isOrdered = isOrdered
    copy.beginsValue = beginsValue
    copy.continuesValue = continuesValue
    var cursor = BatchCursor()
    for index in 0..<commandCount {
      let range = cursor.range(of: index, in: self)
      // A value that is built in parts is built again from its first; the SELECT is always needed.
      guard isOrdered || index == 0 || index >= first else { continue }
      if let move, move.index == index {
        if overwriting {
          copy.bytes.appendCommand([Array("UNLINK".utf8), move.key])
          copy.commandCount += 1
        }
        copy.move = (copy.commandCount, move.key)
      }
      bytes.withBytes { bytes in
        let command = UnsafeRawBufferPointer(rebasing: bytes[range])
        if overwriting, !isOrdered {
          copy.appendOverwriting(command)
        } else {
          copy.bytes.append(command)
        }
      }
      copy.commandCount += 1
    }
    return copy
  }

  /// A batch for commands in the same db, beginning with the same SELECT.
  func emptyTwin() -> Batch {
    let twin = Batch()
    twin.database = database
    var cursor = BatchCursor()
    let head = cursor.range(of: 0, in: self)
    bytes.withBytes { twin.bytes.append(UnsafeRawBufferPointer(rebasing: $0[head])) }
    twin.commandCount = 1
    return twin
  }

  /// How many keys a loader's command writes: none, a SELECT or a function.
  static func keyCount(of command: UnsafeRawBufferPointer) -> Int {
    guard let (count, head) = arrayHeader(command) else { return 0 }
    let body = UnsafeRawBufferPointer(rebasing: command[head...])
    if begins(body, with: "$6\r\nMSETNX\r\n") || begins(body, with: "$4\r\nMSET\r\n") {
      return count / 2
    }
    return begins(body, with: "$3\r\nSET\r\n") || begins(body, with: "$7\r\nRESTORE\r\n") ? 1 : 0
  }

  /// Appends a loader's command without its NX, or with REPLACE.
  private func appendOverwriting(_ command: UnsafeRawBufferPointer) {
    let notExisting = StaticString("$2\r\nNX\r\n")
    guard let (count, head) = Self.arrayHeader(command) else { return bytes.append(command) }
    let body = UnsafeRawBufferPointer(rebasing: command[head...])
    let writesNew = StaticString("$6\r\nMSETNX\r\n")
    if Self.begins(body, with: writesNew) {
      bytes.appendArrayHeader(count)
      bytes.append("$4\r\nMSET\r\n")
      return bytes.append(UnsafeRawBufferPointer(rebasing: body[writesNew.utf8CodeUnitCount...]))
    }
    if Self.begins(body, with: "$3\r\nSET\r\n") {
      bytes.appendArrayHeader(count - 1)
      bytes.append(UnsafeRawBufferPointer(rebasing: body.dropLast(notExisting.utf8CodeUnitCount)))
    } else if Self.begins(body, with: "$7\r\nRESTORE\r\n") {
      bytes.appendArrayHeader(count + 1)
      bytes.append(body)
      bytes.append("$7\r\nREPLACE\r\n")
    } else {
      bytes.append(command)
    }
  }

  /// The number of arguments that `*n` announces, and where it ends.
  private static func arrayHeader(_ command: UnsafeRawBufferPointer) -> (Int, Int)? {
    guard let end = command.firstIndex(of: 13),
      let count = Int(String(decoding: command[1..<end], as: UTF8.self))
    else { return nil }
    return (count, end + 2)
  }

  private static func begins(_ bytes: UnsafeRawBufferPointer, with word: StaticString) -> Bool {
    word.withUTF8Buffer { bytes.starts(with: $0) }
  }
}
