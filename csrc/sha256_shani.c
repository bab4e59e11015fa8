/* SHA-256 with the SHA extensions of x86 (Intel SDM vol. 2: SHA256RNDS2, SHA256MSG1, SHA256MSG2). */
#include "sha256.h"

#ifdef PYCHAIN_X86

#include <immintrin.h>

#define SHANI __attribute__((target("sha,sse4.1,ssse3")))

/* Words 4n to 4n + 3 of the schedule from the sixteen before them; `a` holds the oldest four. */
SHANI static inline __m128i schedule(__m128i a, __m128i b, __m128i c, __m128i d)
{
    __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(a, b), _mm_alignr_epi8(d, c, 4));
    return _mm_sha256msg2_epu32(sum, d);
}

SHANI static void compress(uint32_t state[8], const uint8_t *blocks, size_t count)
{
    const __m128i BYTES = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i dcba = _mm_loadu_si128((const __m128i *)state);
    __m128i hgfe = _mm_loadu_si128((const __m128i *)(state + 4));
    /* The instructions keep the state as two vectors, a b e f and c d g h, with the first letter on top. */
    __m128i badc = _mm_shuffle_epi32(dcba, 0xb1), efgh = _mm_shuffle_epi32(hgfe, 0x1b);
    __m128i abef = _mm_alignr_epi8(badc, efgh, 8), cdgh = _mm_blend_epi16(efgh, badc, 0xf0);

    for (; count != 0; count--, blocks += BLOCK) {
        const __m128i abef_before = abef, cdgh_before = cdgh;
        __m128i w[4];

        for (int i = 0; i < 4; i++)
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(blocks + 16 * i)), BYTES);
        for (int i = 0; i < 16; i++) {
            __m128i wk = _mm_add_epi32(w[i % 4], _mm_loadu_si128((const __m128i *)(SHA256_K + 4 * i)));

            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, wk);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(wk, 0x0e));
            if (i < 12)
                w[i % 4] = schedule(w[i % 4], w[(i + 1) % 4], w[(i + 2) % 4], w[(i + 3) % 4]);
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }

    __m128i feba = _mm_shuffle_epi32(abef, 0x1b), dchg = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

const struct sha256_kernel SHA256_SHANI = {"sha256:shani", CPU_SHANI | CPU_SSE41 | CPU_SSSE3, compress};

#else
typedef int not_empty; /* ISO C wants at least one declaration */
#endif
