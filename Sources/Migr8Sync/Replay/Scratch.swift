import RDBParser
struct DatabaseMap: Sendable { func destination(of d: Int) -> Int { d } }
enum Printable { static func key(_ k: [UInt8]) -> String { String(decoding: k, as: UTF8.self) }
 static func key(_ k: Span<UInt8>) -> String { "x" } }
