/* The proof-of-work search: which nonces give a header a double hash at or under the target. */
#include <string.h>

#include "sha256.h"

enum {
    HEADER = 80,
    NONCE_AT = 76,
    POLL = 2048, /* nonces between two looks at the stop flag: under 2 ms on the slowest kernel */
};

/* A header whose first block is already hashed (the midstate), and the padded blocks of both hashes. */
struct search {
    uint32_t midstate[8];
    uint8_t tail[BLOCK];
    uint8_t second[BLOCK];
};

static void prepare(struct search *search, const struct sha256_kernel *kernel, const uint8_t header[HEADER])
{
    memset(search, 0, sizeof *search);
    memcpy(search->midstate, SHA256_IV, sizeof search->midstate);
    kernel->compress(search->midstate, header, 1);
    memcpy(search->tail, header + BLOCK, NONCE_AT - BLOCK);
    search->tail[HEADER - BLOCK] = 0x80;
    store_be32(search->tail + BLOCK - 4, HEADER * 8);
    search->second[DIGEST] = 0x80;
    store_be32(search->second + BLOCK - 4, DIGEST * 8);
}

static void hash_nonce(struct search *search, const struct sha256_kernel *kernel, uint8_t hash[DIGEST], uint32_t nonce)
{
    uint32_t state[8];

    for (int i = 0; i < 4; i++)
        search->tail[NONCE_AT - BLOCK + i] = (uint8_t)(nonce >> 8 * i);
    memcpy(state, search->midstate, sizeof state);
    kernel->compress(state, search->tail, 1);
    for (int i = 0; i < 8; i++)
        store_be32(search->second + 4 * i, state[i]);
    memcpy(state, SHA256_IV, sizeof state);
    kernel->compress(state, search->second, 1);
    for (int i = 0; i < 8; i++)
        store_be32(hash + 4 * i, state[i]);
}

/* hash <= target as 256-bit little-endian integers. */
static int meets(const uint8_t hash[DIGEST], const uint8_t target[DIGEST])
{
    for (int i = DIGEST - 1; i >= 0; i--)
        if (hash[i] != target[i])
            return hash[i] < target[i];
    return 1;
}

pychain_search_result search_with(const struct sha256_kernel *kernel, uint32_t *nonces, size_t room,
                                  const uint8_t header[80], const uint8_t target[32], uint64_t start, uint64_t count,
                                  const uint8_t *stop)
{
    pychain_search_result result = {0, 0};
    struct search search;

    prepare(&search, kernel, header);
    while (result.hashes < count) {
        const uint32_t nonce = (uint32_t)(start + result.hashes);
        uint8_t hash[DIGEST];

        if (stop != NULL && result.hashes % POLL == 0 && __atomic_load_n(stop, __ATOMIC_RELAXED))
            break;
        hash_nonce(&search, kernel, hash, nonce);
        result.hashes++;
        if (meets(hash, target)) {
            nonces[result.hits++] = nonce;
            if (result.hits == room)
                break;
        }
    }
    return result;
}

pychain_search_result pychain_search(uint32_t *nonces, size_t room, const uint8_t header[80], const uint8_t target[32],
                                     uint64_t start, uint64_t count, const uint8_t *stop)
{
    return search_with(sha256_kernel(), nonces, room, header, target, start, count, stop);
}
