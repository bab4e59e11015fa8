/* SHA-256 with the SHA extensions of x86 (Intel SDM vol. 2: SHA256RNDS2, SHA256MSG1, SHA256MSG2). */
#include "cpu.h"

#ifdef PYCHAIN_X86

#include <immintrin.h>

#include "kernels.h"

#define TARGET __attribute__((target("sha,sse4.1,ssse3")))
typedef __m128i Q;

/* The instructions keep the state as the words a b e f and c d g h, the first of them on top. */
struct state {
    Q x, y;
};

#define BYTES _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203)
#define ADD(a, b) _mm_add_epi32(a, b)
#define WORDS(p) _mm_loadu_si128((const __m128i *)(p))
#define PUT_WORDS(p, q) _mm_storeu_si128((__m128i *)(p), q)
#define MESSAGE(p) _mm_shuffle_epi8(WORDS(p), BYTES)
#define PUT_MESSAGE(p, q) PUT_WORDS(p, _mm_shuffle_epi8(q, BYTES))
#define ONE_WORD(n) _mm_cvtsi32_si128((int)(n))
#define FOURTH(q, n) _mm_insert_epi32(q, (int)(n), 3)
#define EXTEND0(a, b) _mm_sha256msg1_epu32(a, b)
#define EXTEND1(sum, c, d) _mm_sha256msg2_epu32(_mm_add_epi32(sum, _mm_alignr_epi8(d, c, 4)), d)

TARGET static inline struct state PACK(Q abcd, Q efgh)
{
    const Q badc = _mm_shuffle_epi32(abcd, 0xb1), hgfe = _mm_shuffle_epi32(efgh, 0x1b);

    return (struct state){_mm_alignr_epi8(badc, hgfe, 8), _mm_blend_epi16(hgfe, badc, 0xf0)};
}

TARGET static inline Q ABCD(struct state s)
{
    return _mm_blend_epi16(_mm_shuffle_epi32(s.x, 0x1b), _mm_shuffle_epi32(s.y, 0xb1), 0xf0);
}

TARGET static inline Q EFGH(struct state s)
{
    return _mm_alignr_epi8(_mm_shuffle_epi32(s.y, 0xb1), _mm_shuffle_epi32(s.x, 0x1b), 8);
}

TARGET static inline void FOUR_ROUNDS(struct state *s, Q wk)
{
    s->y = _mm_sha256rnds2_epu32(s->y, s->x, wk);
    s->x = _mm_sha256rnds2_epu32(s->x, s->y, _mm_shuffle_epi32(wk, 0x0e));
}

/* After two of the four rounds, h of the fourth is in the place of f: the other two would only move it. */
TARGET static inline uint32_t LAST_H(struct state s, Q wk)
{
    return (uint32_t)_mm_cvtsi128_si32(_mm_sha256rnds2_epu32(s.y, s.x, wk));
}

#include "streams.h"

const struct sha256_kernel SHA256_SHANI = {
    .name = "sha256:shani",
    .needs = CPU_SHANI | CPU_SSE41 | CPU_SSSE3,
    .compress = compress,
    .lanes = STREAMS,
    .worthwhile = 2,
    .many = many,
    .pairs = pairs,
    .scan_lanes = STREAMS,
    .scan = scan,
};

#else
typedef int not_empty; /* ISO C wants at least one declaration */
#endif
