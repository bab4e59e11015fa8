/* The self-test of a kernel. Internal to the core. */
#ifndef PYCHAIN_ED25519_SELFTEST_H
#define PYCHAIN_ED25519_SELFTEST_H

#include "verify.h"

/* Whether a kernel that the CPU can run gives right answers; call ed25519_fill_base first. */
int ed25519_selftest(const struct ed25519_kernel *kernel);

#endif
