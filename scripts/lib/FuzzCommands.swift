// What libFuzzer runs for the target `commands`, compiled by scripts/fuzz together with StreamExercise of
// the tests and linked with the program's own modules.

import Glibc

/// Called by libFuzzer once, so that no run pays for what is made on first use.
@c(LLVMFuzzerInitialize)
public func fuzzInitialize(
  _ argc: UnsafeMutablePointer<CInt>, _ argv: UnsafeMutableRawPointer
) -> CInt {
  _ = StreamExercise.complaint(about: Array("\0\0*1\r\n$4\r\nPING\r\n".utf8))
  return 0
}

/// The entry libFuzzer calls with each input.
@c(LLVMFuzzerTestOneInput)
public func fuzzOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  let input = UnsafeBufferPointer(start: data, count: size)
  if let complaint = StreamExercise.complaint(about: Array(input)) {
    preconditionFailure(complaint)
  }
  return 0
}
