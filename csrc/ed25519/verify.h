/* A batch of signatures and its verification. Internal to the core. */
#ifndef PYCHAIN_ED25519_VERIFY_H
#define PYCHAIN_ED25519_VERIFY_H

#include "ed25519.h"

enum {
    SIGNATURE = 64, /* bytes: R, S */
    SEED = 32,
};

/* The result for each signature. */
enum { INVALID = 0, VALID = 1, VALID_IN_PRIME_GROUP = 2 };

/* A signature, its key, and its message in two pieces. */
struct signed_message {
    const uint8_t *key, *signature, *pieces[2];
    size_t sizes[2];
};

struct signature_batch {
    struct signed_message (*get)(const void *source, size_t i); /* any thread may call it */
    const void *source;
    uint8_t *valid; /* INVALID or VALID; where `asks_group`, VALID_IN_PRIME_GROUP if A and R are found in it */
    const uint8_t *seed; /* or NULL for the operating system's */
    size_t count;
    int asks_group;
};

/* Signature i alone. */
int verify_one(const struct ed25519_kernel *kernel, const struct signature_batch *batch, size_t i);

/* Verify in chunks of at most `capacity` signatures; `next` gives the start and the size of each, 0 at the end. */
void verify_chunks(const struct ed25519_kernel *kernel, const struct signature_batch *batch, size_t capacity,
                   size_t (*next)(void *context, size_t *begin), void *context);

#endif
