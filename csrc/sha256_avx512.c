/* SHA-256 in 16 lanes of AVX-512. */
#include "cpu.h"

#ifdef PYCHAIN_X86

#include <immintrin.h>

#include "kernels.h"

#define TARGET __attribute__((target("avx512f,avx512bw")))
#define LANES 16
#define UNROLL_FOLD
typedef __m512i V;

#define ADD(x, y) _mm512_add_epi32(x, y)
#define SET(x) _mm512_set1_epi32((int)(x))
#define XOR3(x, y, z) _mm512_ternarylogic_epi32(x, y, z, 0x96)
#define CH(x, y, z) _mm512_ternarylogic_epi32(x, y, z, 0xca)
#define MAJ(x, y, z) _mm512_ternarylogic_epi32(x, y, z, 0xe8)
#define ROTR(x, n) _mm512_ror_epi32(x, n)
#define BIG0(x) XOR3(ROTR(x, 2), ROTR(x, 13), ROTR(x, 22))
#define BIG1(x) XOR3(ROTR(x, 6), ROTR(x, 11), ROTR(x, 25))
#define SMALL0(x) XOR3(ROTR(x, 7), ROTR(x, 18), _mm512_srli_epi32(x, 3))
#define SMALL1(x) XOR3(ROTR(x, 17), ROTR(x, 19), _mm512_srli_epi32(x, 10))

#define RAMP() _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define BYTES _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203)
#define BYTE_SWAP(x) _mm512_shuffle_epi8(x, _mm512_broadcast_i32x4(BYTES))
#define AT_MOST(x, y) _mm512_cmple_epu32_mask(x, y)
#define EQUAL(x, y) _mm512_cmpeq_epi32_mask(x, y)
#define LOW32(x, y) _mm512_unpacklo_epi32(x, y)
#define HIGH32(x, y) _mm512_unpackhi_epi32(x, y)
#define LOW64(x, y) _mm512_unpacklo_epi64(x, y)
#define HIGH64(x, y) _mm512_unpackhi_epi64(x, y)
#define GET_PIECES(p, j, at) get_pieces((p)[j] + (at), (p)[(j) + 4] + (at), (p)[(j) + 8] + (at), (p)[(j) + 12] + (at))
#define PUT_PIECES(p, j, at, x) \
    put_pieces((p)[j] + (at), (p)[(j) + 4] + (at), (p)[(j) + 8] + (at), (p)[(j) + 12] + (at), x)

TARGET static inline __m512i get_pieces(const uint8_t *a, const uint8_t *b, const uint8_t *c, const uint8_t *d)
{
    __m512i x = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)a));

    x = _mm512_inserti32x4(x, _mm_loadu_si128((const __m128i *)b), 1);
    x = _mm512_inserti32x4(x, _mm_loadu_si128((const __m128i *)c), 2);
    return _mm512_inserti32x4(x, _mm_loadu_si128((const __m128i *)d), 3);
}

TARGET static inline void put_pieces(uint8_t *a, uint8_t *b, uint8_t *c, uint8_t *d, __m512i x)
{
    _mm_storeu_si128((__m128i *)a, _mm512_castsi512_si128(x));
    _mm_storeu_si128((__m128i *)b, _mm512_extracti32x4_epi32(x, 1));
    _mm_storeu_si128((__m128i *)c, _mm512_extracti32x4_epi32(x, 2));
    _mm_storeu_si128((__m128i *)d, _mm512_extracti32x4_epi32(x, 3));
}

#include "lanes.h"
#include "lanes_pipelined.h"

/* From this many messages on, sixteen lanes at once beat the SHA extensions one by one. */
#define WORTHWHILE 6

const struct sha256_kernel SHA256_AVX512 = {
    .name = "sha256:avx512",
    .needs = CPU_AVX512F | CPU_AVX512BW,
    .lanes = LANES,
    .worthwhile = WORTHWHILE,
    .many = many,
    .pairs = pairs,
    .subtrees = subtrees,
    .scan_lanes = LANES,
    .scan = pipeline,
};

const struct sha256_kernel SHA256_AVX512_SERIAL = {
    .name = "sha256:avx512-serial",
    .needs = CPU_AVX512F | CPU_AVX512BW,
    .lanes = LANES,
    .worthwhile = WORTHWHILE,
    .many = many,
    .pairs = pairs,
    .subtrees = subtrees,
    .scan_lanes = LANES,
    .scan = scan,
};

#else
typedef int not_empty; /* ISO C wants at least one declaration */
#endif
