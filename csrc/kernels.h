/* The SHA-256 kernels, and the one in use. Internal to the core. */
#ifndef PYCHAIN_KERNELS_H
#define PYCHAIN_KERNELS_H

#include "cpu.h"
#include "sha256.h"

extern const struct sha256_kernel SHA256_PORTABLE;
#ifdef PYCHAIN_X86
extern const struct sha256_kernel SHA256_SHANI, SHA256_AVX2, SHA256_AVX512, SHA256_AVX512_SERIAL;
#endif
#ifdef PYCHAIN_ARM64
extern const struct sha256_kernel SHA256_ARMV8;
#endif

/* The kernel in use. A caller reads it once and keeps it, even if another thread changes it. */
const struct sha256_kernel *sha256_kernel(void);

/* Put a kernel in use, in all threads from now on. Only dispatch.c does. */
void sha256_use(const struct sha256_kernel *kernel);

#endif
