/* SHA-512 (FIPS 180-4) of short inputs in up to four pieces. Internal to the core. */
#ifndef PYCHAIN_ED25519_SHA512_H
#define PYCHAIN_ED25519_SHA512_H

#include <stddef.h>
#include <stdint.h>

enum {
    SHA512_BLOCK = 128,
    SHA512_DIGEST = 64,
    SHA512_WORDS = 8,
    SHA512_ROUNDS = 80,
    SHA512_PIECES = 4,
};

extern const uint64_t SHA512_IV[SHA512_WORDS];
extern const uint64_t SHA512_K[SHA512_ROUNDS];

struct sha512_input {
    const uint8_t *pieces[SHA512_PIECES];
    size_t sizes[SHA512_PIECES];
};

/* Blocks of the padded input. */
size_t sha512_blocks(const struct sha512_input *input);

/* Block `index` of the padded input, as 16 words. */
void sha512_block(uint64_t words[16], const struct sha512_input *input, size_t index);

void sha512_hash(uint8_t (*out)[SHA512_DIGEST], const struct sha512_input *inputs, size_t count);

#endif
