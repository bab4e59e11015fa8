/* A batch of signatures and what verifies it. Internal to the core. */
#ifndef PYCHAIN_ED25519_VERIFY_H
#define PYCHAIN_ED25519_VERIFY_H

#include "ed25519.h"

enum {
    SIGNATURE = 64, /* bytes: R, S */
    SEED = 32,
};

struct signature_batch {
    uint8_t *valid; /* 1 or 0 for each signature */
    const uint8_t *keys, *messages, *signatures, *seed;
    const uint32_t *offsets; /* count + 1, into `messages`; in order */
    size_t count;
};

/* Signature i alone. */
int verify_one(const struct ed25519_kernel *kernel, const struct signature_batch *batch, size_t i);

/* In chunks of `capacity` signatures, each beginning where `next` says, until that is past the end. */
void verify_chunks(const struct ed25519_kernel *kernel, const struct signature_batch *batch, size_t capacity,
                   size_t (*next)(void *context), void *context);

#endif
