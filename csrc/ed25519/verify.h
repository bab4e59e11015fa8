/* A batch of signatures and what verifies it. Internal to the core. */
#ifndef PYCHAIN_ED25519_VERIFY_H
#define PYCHAIN_ED25519_VERIFY_H

#include "ed25519.h"

enum {
    SIGNATURE = 64, /* bytes: R, S */
    SEED = 32,
};

/* What is said of each signature. */
enum { INVALID = 0, VALID = 1, VALID_IN_PRIME_GROUP = 2 };

struct signature_batch {
    uint8_t *valid; /* INVALID or VALID; where `asks_group`, VALID_IN_PRIME_GROUP if A and R are seen to be in it */
    const uint8_t *keys, *messages, *signatures, *seed;
    const uint32_t *offsets; /* count + 1, into `messages`; in order */
    size_t count;
    int asks_group;
};

/* Signature i alone. */
int verify_one(const struct ed25519_kernel *kernel, const struct signature_batch *batch, size_t i);

/* In chunks of `capacity` signatures, each beginning where `next` says, until that is past the end. */
void verify_chunks(const struct ed25519_kernel *kernel, const struct signature_batch *batch, size_t capacity,
                   size_t (*next)(void *context), void *context);

#endif
