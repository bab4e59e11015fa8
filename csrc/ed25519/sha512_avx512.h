/* SHA-512 of eight inputs side by side. Internal to the core; the includer defines the vector operations of AVX-512. */
#ifndef PYCHAIN_ED25519_SHA512_AVX512_H
#define PYCHAIN_ED25519_SHA512_AVX512_H

#include "field_ifma.h"
#include "sha512.h"

#define XOR3(x, y, z) _mm512_ternarylogic_epi64(x, y, z, 0x96)
#define CHOICE(x, y, z) _mm512_ternarylogic_epi64(x, y, z, 0xca)
#define MAJORITY(x, y, z) _mm512_ternarylogic_epi64(x, y, z, 0xe8)
#define ROTATE(x, n) _mm512_ror_epi64(x, n)

/* The word that replaces w[t]. */
FIELD_FUNCTION vector sha512_schedule(const vector w[16], int t)
{
    const vector w15 = w[(t + 1) % 16], w2 = w[(t + 14) % 16];

    return ADD(ADD(w[t], XOR3(ROTATE(w15, 1), ROTATE(w15, 8), _mm512_srli_epi64(w15, 7))),
               ADD(w[(t + 9) % 16], XOR3(ROTATE(w2, 19), ROTATE(w2, 61), _mm512_srli_epi64(w2, 6))));
}

/* One round; afterwards the names of the state's words have moved on by one. */
#define ROUND(a, b, c, d, e, f, g, h, base, i)                                                                         \
    do {                                                                                                               \
        if ((base) != 0)                                                                                               \
            w[i] = sha512_schedule(w, i);                                                                              \
        h = ADD(ADD(h, ADD(w[i], SET(SHA512_K[(base) + (i)]))),                                                        \
                ADD(XOR3(ROTATE(e, 14), ROTATE(e, 18), ROTATE(e, 41)), CHOICE(e, f, g)));                              \
        d = ADD(d, h);                                                                                                 \
        h = ADD(h, ADD(XOR3(ROTATE(a, 28), ROTATE(a, 34), ROTATE(a, 39)), MAJORITY(a, b, c)));                         \
    } while (0)

#define EIGHT_ROUNDS(base, i)                                                                                          \
    ROUND(a, b, c, d, e, f, g, h, base, i);                                                                            \
    ROUND(h, a, b, c, d, e, f, g, base, (i) + 1);                                                                      \
    ROUND(g, h, a, b, c, d, e, f, base, (i) + 2);                                                                      \
    ROUND(f, g, h, a, b, c, d, e, base, (i) + 3);                                                                      \
    ROUND(e, f, g, h, a, b, c, d, base, (i) + 4);                                                                      \
    ROUND(d, e, f, g, h, a, b, c, base, (i) + 5);                                                                      \
    ROUND(c, d, e, f, g, h, a, b, base, (i) + 6);                                                                      \
    ROUND(b, c, d, e, f, g, h, a, base, (i) + 7)

IFMA_TARGET static void sha512_compress_lanes(vector state[SHA512_WORDS], vector w[16], lanes which)
{
    vector a = state[0], b = state[1], c = state[2], d = state[3];
    vector e = state[4], f = state[5], g = state[6], h = state[7];

    EIGHT_ROUNDS(0, 0);
    EIGHT_ROUNDS(0, 8);
    for (int base = 16; base < SHA512_ROUNDS; base += 16) {
        EIGHT_ROUNDS(base, 0);
        EIGHT_ROUNDS(base, 8);
    }
    const vector added[SHA512_WORDS] = {a, b, c, d, e, f, g, h};
    for (int i = 0; i < SHA512_WORDS; i++)
        state[i] = _mm512_mask_add_epi64(state[i], which, state[i], added[i]);
}

#undef EIGHT_ROUNDS
#undef ROUND

/* Up to eight inputs; shorter ones are masked in the last blocks. */
IFMA_TARGET static void sha512_hash_lanes(uint8_t (*out)[SHA512_DIGEST], const struct sha512_input *inputs, size_t count)
{
    _Alignas(64) uint64_t block[16][LANES] = {{0}}, digest[SHA512_WORDS][LANES];
    size_t blocks[LANES] = {0}, most = 0;
    vector state[SHA512_WORDS], w[16];

    for (size_t i = 0; i < count; i++) {
        blocks[i] = sha512_blocks(&inputs[i]);
        most = blocks[i] > most ? blocks[i] : most;
    }
    for (int i = 0; i < SHA512_WORDS; i++)
        state[i] = SET(SHA512_IV[i]);
    for (size_t k = 0; k < most; k++) {
        lanes which = 0;

        for (size_t i = 0; i < count; i++)
            if (k < blocks[i]) {
                uint64_t words[16];

                which |= (lanes)(1 << i);
                sha512_block(words, &inputs[i], k);
                for (int t = 0; t < 16; t++)
                    block[t][i] = words[t];
            }
        for (int t = 0; t < 16; t++)
            w[t] = _mm512_load_si512(block[t]);
        sha512_compress_lanes(state, w, which);
    }
    for (int i = 0; i < SHA512_WORDS; i++)
        _mm512_store_si512(digest[i], state[i]);
    for (size_t i = 0; i < count; i++)
        for (int j = 0; j < SHA512_DIGEST; j++)
            out[i][j] = (uint8_t)(digest[j / 8][i] >> (56 - 8 * (j % 8)));
}

#endif
