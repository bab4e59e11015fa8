/* The self-test of a kernel. Internal to the core. */
#ifndef PYCHAIN_ED25519_SELFTEST_H
#define PYCHAIN_ED25519_SELFTEST_H

#include "verify.h"

/* Whether the kernel, which the CPU can run, answers right; needs ed25519_fill_base before it. */
int ed25519_selftest(const struct ed25519_kernel *kernel);

#endif
