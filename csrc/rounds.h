/* The rounds of FIPS 180-4 on words of type V: one 32-bit word, or one in each lane of a vector. To be included where
 * V, TARGET and the macros ADD, SET, BIG0, BIG1, SMALL0, SMALL1, CH and MAJ are defined. */
#include "sha256.h"

/* One round with the word wk of the schedule plus constant. The roles of the variables rotate by one each round. */
#define ROUND(a, b, c, d, e, f, g, h, wk)                        \
    do {                                                         \
        const V t1 = ADD(ADD(ADD(wk, h), CH(e, f, g)), BIG1(e)); \
        d = ADD(d, t1);                                          \
        h = ADD(t1, ADD(MAJ(a, b, c), BIG0(a)));                 \
    } while (0)

#define EIGHT_ROUNDS(WK, t)                                 \
    do {                                                    \
        ROUND(s0, s1, s2, s3, s4, s5, s6, s7, WK(t));       \
        ROUND(s7, s0, s1, s2, s3, s4, s5, s6, WK((t) + 1)); \
        ROUND(s6, s7, s0, s1, s2, s3, s4, s5, WK((t) + 2)); \
        ROUND(s5, s6, s7, s0, s1, s2, s3, s4, WK((t) + 3)); \
        ROUND(s4, s5, s6, s7, s0, s1, s2, s3, WK((t) + 4)); \
        ROUND(s3, s4, s5, s6, s7, s0, s1, s2, WK((t) + 5)); \
        ROUND(s2, s3, s4, s5, s6, s7, s0, s1, WK((t) + 6)); \
        ROUND(s1, s2, s3, s4, s5, s6, s7, s0, WK((t) + 7)); \
    } while (0)

#define STATE_TO_VARIABLES V s0 = s[0], s1 = s[1], s2 = s[2], s3 = s[3], s4 = s[4], s5 = s[5], s6 = s[6], s7 = s[7]
#define ADD_VARIABLES_TO_STATE                                                                  \
    do {                                                                                        \
        s[0] = ADD(s[0], s0), s[1] = ADD(s[1], s1), s[2] = ADD(s[2], s2), s[3] = ADD(s[3], s3); \
        s[4] = ADD(s[4], s4), s[5] = ADD(s[5], s5), s[6] = ADD(s[6], s6), s[7] = ADD(s[7], s7); \
    } while (0)

/* The input of a round: the block's own word t, or the word 16 after it, or a known sum. */
#define GIVEN(t) ADD(w[t], SET(k[t]))
#define EXTENDED(t) ADD(w[t] = ADD(ADD(ADD(w[t], w[((t) + 9) % 16]), SMALL0(w[((t) + 1) % 16])), \
                               SMALL1(w[((t) + 14) % 16])), SET(k[t]))
#define KNOWN(t) SET(wk[t])

/* Fold the block w into the state; w is used up. Sixteen rounds per iteration: it is fully unrolled only if an includer
 * asks, since the code of a whole double hash then has to fit in the 32 KB of the instruction cache. */
TARGET static inline void fold_words(V s[8], V w[16])
{
    const uint32_t *k = SHA256_K;
    STATE_TO_VARIABLES;

    EIGHT_ROUNDS(GIVEN, 0);
    EIGHT_ROUNDS(GIVEN, 8);
#ifdef UNROLL_FOLD
    UNROLL(3)
#endif
    for (int turn = 1; turn < 4; turn++) {
        k += 16;
        EIGHT_ROUNDS(EXTENDED, 0);
        EIGHT_ROUNDS(EXTENDED, 8);
    }
    ADD_VARIABLES_TO_STATE;
}
