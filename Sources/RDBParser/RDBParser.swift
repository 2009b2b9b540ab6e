// The RDBParser target: bytes of a Redis or Valkey RDB file to entries, elements and commands.
//
// Reading goes through one pull reader, `RDBReader`. It opens no file and no socket: the caller
// gives it bytes as they arrive, in any portions, and asks for the next event.
//
//     bytes ─▶ OwnedBytes ─▶ RDBReader ──────▶ RDBEvent (header, aux, entry, end, ...)
//                               │
//                               └─ ValueWalker ─▶ raw value bytes, or elements
//                                     │
//                                   Grammar: what each value type is made of (one table)
//
// Unsafe memory lives in OwnedBytes.swift and ByteScanner.swift only (CRC64 and LZF work on
// pointers they were handed, with every bound checked before use); stored state keeps offsets.
