/* SHA-256 (FIPS 180-4) as the kernels share it. Internal to the core. */
#ifndef PYCHAIN_SHA256_H
#define PYCHAIN_SHA256_H

#include <stddef.h>
#include <stdint.h>

#include "cpu.h"
#include "pychain.h"

enum { BLOCK = 64, DIGEST = 32 };

extern const uint32_t SHA256_IV[8];
extern const uint32_t SHA256_K[64];

/* One way to compute SHA-256 on one family of CPUs. */
struct sha256_kernel {
    const char *name;
    unsigned needs; /* set of enum cpu_feature */
    /* Fold `count` blocks of 64 bytes into `state`. */
    void (*compress)(uint32_t state[8], const uint8_t *blocks, size_t count);
};

/* The kernel in use. A caller reads it once and works with that, whatever another thread chooses meanwhile. */
const struct sha256_kernel *sha256_kernel(void);

/* As the functions of the public header, on a given kernel: the self-test needs them before one is in use. */
void sha256d_with(const struct sha256_kernel *kernel, uint8_t out[DIGEST], const uint8_t *data, size_t size);
pychain_search_result search_with(const struct sha256_kernel *kernel, uint32_t *nonces, size_t room,
                                  const uint8_t header[80], const uint8_t target[32], uint64_t start, uint64_t count,
                                  const uint8_t *stop);

extern const struct sha256_kernel SHA256_PORTABLE;
#ifdef PYCHAIN_X86
extern const struct sha256_kernel SHA256_SHANI;
#endif

static inline uint32_t load_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void store_be32(uint8_t *p, uint32_t x)
{
    p[0] = (uint8_t)(x >> 24);
    p[1] = (uint8_t)(x >> 16);
    p[2] = (uint8_t)(x >> 8);
    p[3] = (uint8_t)x;
}

#endif
