/* SHA-512, one input at a time, and the constants and padding shared with its forms in lanes. */
#include "sha512.h"

#include <string.h>

const uint64_t SHA512_IV[SHA512_WORDS] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1, 0x510e527fade682d1,
    0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

const uint64_t SHA512_K[SHA512_ROUNDS] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc, 0x3956c25bf348b538,
    0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118, 0xd807aa98a3030242, 0x12835b0145706fbe,
    0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2, 0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235,
    0xc19bf174cf692694, 0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5, 0x983e5152ee66dfab,
    0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4, 0xc6e00bf33da88fc2, 0xd5a79147930aa725,
    0x06ca6351e003826f, 0x142929670a0e6e70, 0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed,
    0x53380d139d95b3df, 0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30, 0xd192e819d6ef5218,
    0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8, 0x19a4c116b8d2d0c8, 0x1e376c085141ab53,
    0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8, 0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373,
    0x682e6ff3d6b2b8a3, 0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b, 0xca273eceea26619c,
    0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178, 0x06f067aa72176fba, 0x0a637dc5a2c898a6,
    0x113f9804bef90dae, 0x1b710b35131c471b, 0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc,
    0x431d67c49c100d4c, 0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

static size_t input_size(const struct sha512_input *input)
{
    return input->sizes[0] + input->sizes[1] + input->sizes[2] + input->sizes[3];
}

size_t sha512_blocks(const struct sha512_input *input)
{
    return (input_size(input) + 16) / SHA512_BLOCK + 1; /* a marker byte and sixteen bytes of length follow */
}

static uint64_t load_be64(const uint8_t *p)
{
    uint64_t x = 0;

    for (int i = 0; i < 8; i++)
        x = x << 8 | p[i];
    return x;
}

void sha512_block(uint64_t words[16], const struct sha512_input *input, size_t index)
{
    const size_t size = input_size(input), begin = index * SHA512_BLOCK;
    uint8_t bytes[SHA512_BLOCK] = {0};
    size_t at = 0; /* of the piece's first byte in the input */

    for (int i = 0; i < SHA512_PIECES; i++) {
        const size_t end = at + input->sizes[i];
        const size_t from = at > begin ? at : begin, to = end < begin + SHA512_BLOCK ? end : begin + SHA512_BLOCK;

        if (from < to)
            memcpy(bytes + (from - begin), input->pieces[i] + (from - at), to - from);
        at = end;
    }
    if (size >= begin && size < begin + SHA512_BLOCK)
        bytes[size - begin] = 0x80;
    for (int i = 0; i < 16; i++)
        words[i] = load_be64(bytes + 8 * i);
    if (index + 1 == sha512_blocks(input)) { /* the length in bits, of 128 */
        words[14] = (uint64_t)size >> 61;
        words[15] = (uint64_t)size << 3;
    }
}

static uint64_t rotate(uint64_t x, int n)
{
    return x >> n | x << (64 - n);
}

/* The word that replaces w[t]. */
static uint64_t schedule(const uint64_t w[16], int t)
{
    const uint64_t w15 = w[(t + 1) % 16], w2 = w[(t + 14) % 16];

    return w[t] + (rotate(w15, 1) ^ rotate(w15, 8) ^ w15 >> 7) + w[(t + 9) % 16] +
           (rotate(w2, 19) ^ rotate(w2, 61) ^ w2 >> 6);
}

/* One round; afterwards the names of the state's words have moved on by one. */
#define ROUND(a, b, c, d, e, f, g, h, base, i)                                                                         \
    do {                                                                                                               \
        if ((base) != 0)                                                                                               \
            w[i] = schedule(w, i);                                                                                     \
        h += (rotate(e, 14) ^ rotate(e, 18) ^ rotate(e, 41)) + (((f ^ g) & e) ^ g) + SHA512_K[(base) + (i)] + w[i];    \
        d += h;                                                                                                        \
        h += (rotate(a, 28) ^ rotate(a, 34) ^ rotate(a, 39)) + ((a & b) | ((a | b) & c));                              \
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

static void compress(uint64_t state[SHA512_WORDS], uint64_t w[16])
{
    uint64_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint64_t e = state[4], f = state[5], g = state[6], h = state[7];

    for (int base = 0; base < SHA512_ROUNDS; base += 16) {
        EIGHT_ROUNDS(base, 0);
        EIGHT_ROUNDS(base, 8);
    }
    const uint64_t added[SHA512_WORDS] = {a, b, c, d, e, f, g, h};
    for (int i = 0; i < SHA512_WORDS; i++)
        state[i] += added[i];
}

void sha512_hash(uint8_t (*out)[SHA512_DIGEST], const struct sha512_input *inputs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const size_t blocks = sha512_blocks(&inputs[i]);
        uint64_t state[SHA512_WORDS], words[16];

        memcpy(state, SHA512_IV, sizeof state);
        for (size_t k = 0; k < blocks; k++) {
            sha512_block(words, &inputs[i], k);
            compress(state, words);
        }
        for (int j = 0; j < SHA512_DIGEST; j++)
            out[i][j] = (uint8_t)(state[j / 8] >> (56 - 8 * (j % 8)));
    }
}
