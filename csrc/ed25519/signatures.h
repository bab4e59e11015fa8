/* Batches on the kernel in use and several threads. Internal to the core. */
#ifndef PYCHAIN_ED25519_SIGNATURES_H
#define PYCHAIN_ED25519_SIGNATURES_H

#include "verify.h"

/* The whole batch, on up to `threads` threads, 0 for as many as there are cores. */
void verify_all(struct signature_batch batch, unsigned threads);

#endif
