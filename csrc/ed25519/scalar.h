/* Integers modulo L = 2^252 + 27742317777372353535851937790883648493, the order of the base point (RFC 8032, 5.1).
 * Internal to the core; words of 64 bits, least significant first. */
#ifndef PYCHAIN_ED25519_SCALAR_H
#define PYCHAIN_ED25519_SCALAR_H

#include <stdint.h>

enum {
    SCALAR_WORDS = 4,
    SUM_WORDS = 7, /* room for the sum of 2^64 products of a weight (below 2^128) and a scalar (below 2^256) */
};

/* Whether the 32 bytes, little-endian, are below L; the words are set in any case. */
int scalar_from_bytes(uint64_t out[SCALAR_WORDS], const uint8_t bytes[32]);

/* x modulo L, of eight words. */
void scalar_reduce(uint64_t out[SCALAR_WORDS], const uint64_t x[8]);

/* sum += weight * x */
void scalar_accumulate(uint64_t sum[SUM_WORDS], const uint64_t weight[2], const uint64_t x[SCALAR_WORDS]);

/* The sum modulo L. */
void scalar_finish(uint64_t out[SCALAR_WORDS], const uint64_t sum[SUM_WORDS]);

/* L - x, of x below L; 0 stays 0. */
void scalar_negate(uint64_t out[SCALAR_WORDS], const uint64_t x[SCALAR_WORDS]);

/* u and v with v k = u modulo L, or v k = -u where 1 is returned; both below 2^127, and v is not 0. */
int scalar_halve(uint64_t u[2], uint64_t v[2], const uint64_t k[SCALAR_WORDS]);

static inline uint64_t load_le64(const uint8_t *p)
{
    uint64_t x = 0;

    for (int i = 0; i < 8; i++)
        x |= (uint64_t)p[i] << 8 * i;
    return x;
}

#endif
