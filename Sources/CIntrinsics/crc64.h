// CRC-64/Jones by carry-less multiplication, for processors that have the instruction: 64 bytes are folded
// into 64 at a step, so that the checksum keeps up with memory. What the constants are follows from the
// polynomial p of degree 64: a part that stands n bits in front of another counts as much as its product with
// x^n mod p in that one's place. All of it is bit-reflected, as the checksum is, which shifts a product
// by one: hence the powers that are one less.

#ifndef MIGR8SYNC_CRC64_H
#define MIGR8SYNC_CRC64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)

#include <immintrin.h>

#define MIGR8SYNC_TARGET __attribute__((target("pclmul,sse4.1")))

static inline bool migr8sync_crc64_has_instruction(void) {
  __builtin_cpu_init();
  return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
}

// Moves `block` to where `next` stands, and adds that. `powers`: of its high and of its low degrees.
MIGR8SYNC_TARGET
static inline __m128i migr8sync_crc64_fold(__m128i block, __m128i powers, __m128i next) {
  __m128i high = _mm_clmulepi64_si128(block, powers, 0x00);
  __m128i low = _mm_clmulepi64_si128(block, powers, 0x11);
  return _mm_xor_si128(_mm_xor_si128(high, low), next);
}

MIGR8SYNC_TARGET
static inline __m128i migr8sync_crc64_load(const uint8_t *bytes) {
  return _mm_loadu_si128((const __m128i *)bytes);
}

// Continues `crc` over `count` bytes, a multiple of 16 and not 0.
MIGR8SYNC_TARGET
static inline uint64_t migr8sync_crc64_blocks(uint64_t crc, const uint8_t *bytes, size_t count) {
  // x^191 and x^127, x^575 and x^511 mod p.
  const __m128i by_one = _mm_set_epi64x(0x381d0015c96f4444, (long long)0xd9d7be7d505da32c);
  const __m128i by_four = _mm_set_epi64x((long long)0xf49784a634f014e4, (long long)0xaf86efb16d9ab4fb);
  const uint8_t *end = bytes + count;
  __m128i sum = _mm_xor_si128(migr8sync_crc64_load(bytes), _mm_set_epi64x(0, (long long)crc));
  bytes += 16;
  if (end - bytes >= 112) {
    __m128i second = migr8sync_crc64_load(bytes);
    __m128i third = migr8sync_crc64_load(bytes + 16);
    __m128i fourth = migr8sync_crc64_load(bytes + 32);
    bytes += 48;
    for (; end - bytes >= 64; bytes += 64) {
      sum = migr8sync_crc64_fold(sum, by_four, migr8sync_crc64_load(bytes));
      second = migr8sync_crc64_fold(second, by_four, migr8sync_crc64_load(bytes + 16));
      third = migr8sync_crc64_fold(third, by_four, migr8sync_crc64_load(bytes + 32));
      fourth = migr8sync_crc64_fold(fourth, by_four, migr8sync_crc64_load(bytes + 48));
    }
    sum = migr8sync_crc64_fold(sum, by_one, second);
    sum = migr8sync_crc64_fold(sum, by_one, third);
    sum = migr8sync_crc64_fold(sum, by_one, fourth);
  }
  for (; bytes < end; bytes += 16) {
    sum = migr8sync_crc64_fold(sum, by_one, migr8sync_crc64_load(bytes));
  }
  // The high degrees, times x^128 mod p, beside the low ones times x^64: 64 degrees too many ...
  __m128i rest = _mm_xor_si128(
      _mm_clmulepi64_si128(sum, by_one, 0x10), _mm_srli_si128(sum, 8));
  // ... which are divided by p: the quotient by x^128 / p, without its highest term, then what remains.
  const __m128i divisor = _mm_set_epi64x((long long)0x95ac9329ac4bc9b5, 0x1f367d194d77cfbb);
  uint64_t high = (uint64_t)_mm_cvtsi128_si64(rest);
  __m128i product = _mm_clmulepi64_si128(rest, divisor, 0x00);
  uint64_t quotient = high ^ (uint64_t)_mm_cvtsi128_si64(product) << 1;
  product = _mm_clmulepi64_si128(_mm_set_epi64x(0, (long long)quotient), divisor, 0x10);
  uint64_t remainder = (uint64_t)_mm_extract_epi64(product, 1) << 1
      | (uint64_t)_mm_cvtsi128_si64(product) >> 63;
  return remainder ^ (uint64_t)_mm_extract_epi64(rest, 1);
}

#undef MIGR8SYNC_TARGET

#else

static inline bool migr8sync_crc64_has_instruction(void) { return false; }

static inline uint64_t migr8sync_crc64_blocks(uint64_t crc, const uint8_t *bytes, size_t count) {
  (void)bytes;
  (void)count;
  return crc;
}

#endif

#endif
