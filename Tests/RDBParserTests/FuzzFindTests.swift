// What scripts/fuzz has found, one named case each, so that it stays found.

import RDBParser
import Testing

struct FuzzFindTests {
  /// Compressed bytes that decode to nothing were taken for the empty string.
  @Test func compressedDataForAnEmptyStringIsRefused() {
    let file = RDBTest.file(0, [0xC3, 7, 0, 3, 7, 0x62, 3, 3, 7, 0x62])
    let recording = RDBTest.record(file, values: .decoded)
    #expect(recording.error?.code == .malformedCompression)
    let none = RDBTest.record(RDBTest.file(0, [0xC3, 0, 0]), values: .decoded)
    #expect(none.entries.first?.decoded == .string([]))
  }

  /// The place of a long compressed string was kept as a window position, which moves.
  @Test func damageLateInALongStringIsPlacedAtItsStart() {
    var options = RDBReaderOptions()
    options.inlineValueLimit = 64
    let value: [UInt8] = [0xC3, 9, 0x40, 0x89, 1, 0x61, 0x61, 0xE0, 0x7C, 0, 0x11, 0x61, 0x3F]
    for portion in [1, 5, 1000] {
      let recording = RDBTest.record(
        RDBTest.file(0, value), portions: [portion], values: .decoded, options: options)
      #expect(recording.error?.code == .malformedCompression)
      #expect(recording.error?.offset == 14)
    }
  }

  /// The same for a packed value that was decoded before the window moved.
  @Test func damageLateInAPackedValueIsPlacedAtItsStart() {
    let file = RDBTest.packedFile(
      20, PackedBuilder.listpack([.text("first"), .text("second"), .bytes([0xF5])]))
    for portion in [1, 5, 1000] {
      let recording = RDBTest.record(file, portions: [portion], values: .decoded)
      #expect(recording.error?.code == .malformedValue)
      #expect(recording.error?.offset == 14)
    }
  }
}
