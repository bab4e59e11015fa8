/* SHA-256 in 8 lanes of AVX2. */
#include "cpu.h"

#ifdef PYCHAIN_X86

#include <immintrin.h>

#include "kernels.h"

#define TARGET __attribute__((target("avx2")))
#define LANES 8
typedef __m256i V;

#define ADD(x, y) _mm256_add_epi32(x, y)
#define SET(x) _mm256_set1_epi32((int)(x))
#define XOR(x, y) _mm256_xor_si256(x, y)
#define AND(x, y) _mm256_and_si256(x, y)
#define SHR(x, n) _mm256_srli_epi32(x, n)
/* A rotation's two halves have no bit in common, so the xors around it join them. */
#define ROTR(x, n) XOR(SHR(x, n), _mm256_slli_epi32(x, 32 - (n)))
#define BIG0(x) XOR(XOR(ROTR(x, 2), ROTR(x, 13)), ROTR(x, 22))
#define BIG1(x) XOR(XOR(ROTR(x, 6), ROTR(x, 11)), ROTR(x, 25))
#define SMALL0(x) XOR(XOR(ROTR(x, 7), ROTR(x, 18)), SHR(x, 3))
#define SMALL1(x) XOR(XOR(ROTR(x, 17), ROTR(x, 19)), SHR(x, 10))
#define CH(x, y, z) XOR(z, AND(x, XOR(y, z)))
/* XOR(y, z) is XOR(x, y) of the previous round, which the compiler keeps. */
#define MAJ(x, y, z) XOR(y, AND(XOR(x, y), XOR(y, z)))

#define RAMP() _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0)
#define BYTES _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203)
#define BYTE_SWAP(x) _mm256_shuffle_epi8(x, _mm256_broadcastsi128_si256(BYTES))
#define AT_MOST(x, y) (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_min_epu32(x, y), x)))
#define EQUAL(x, y) (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(x, y)))
#define LOW32(x, y) _mm256_unpacklo_epi32(x, y)
#define HIGH32(x, y) _mm256_unpackhi_epi32(x, y)
#define LOW64(x, y) _mm256_unpacklo_epi64(x, y)
#define HIGH64(x, y) _mm256_unpackhi_epi64(x, y)
#define GET_PIECES(p, j, at) get_pieces((p)[j] + (at), (p)[(j) + 4] + (at))
#define PUT_PIECES(p, j, at, x) put_pieces((p)[j] + (at), (p)[(j) + 4] + (at), x)

TARGET static inline __m256i get_pieces(const uint8_t *a, const uint8_t *b)
{
    const __m128i low = _mm_loadu_si128((const __m128i *)a), high = _mm_loadu_si128((const __m128i *)b);

    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

TARGET static inline void put_pieces(uint8_t *a, uint8_t *b, __m256i x)
{
    _mm_storeu_si128((__m128i *)a, _mm256_castsi256_si128(x));
    _mm_storeu_si128((__m128i *)b, _mm256_extracti128_si256(x, 1));
}

#include "lanes.h"

const struct sha256_kernel SHA256_AVX2 = {
    .name = "sha256:avx2",
    .needs = CPU_AVX2,
    .lanes = LANES,
    .worthwhile = 3, /* against the portable code: few CPUs have the SHA extensions and use this kernel */
    .many = many,
    .pairs = pairs,
    .subtrees = subtrees,
    .scan_lanes = LANES,
    .scan = scan,
};

#else
typedef int not_empty; /* ISO C wants at least one declaration */
#endif
