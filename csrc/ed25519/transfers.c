/* The signatures of transfers where they lie in a block. */
#include <stdlib.h>
#include <string.h>

#include "../pychain.h"
#include "../transactions.h"

int64_t pychain_verify_transfers(uint8_t *valid, const uint8_t *data, size_t size, const uint32_t *starts,
                                 const uint32_t *ends, size_t count, const uint8_t *prefix, size_t prefix_size,
                                 const uint8_t *seed, unsigned threads)
{
    size_t message_bytes = 0;

    for (size_t i = 0; i < count; i++) {
        if (!is_transfer(data, size, starts[i], ends[i]))
            return (int64_t)i;
        message_bytes += prefix_size + ends[i] - starts[i] - TRANSFER_SIGNATURE;
    }
    uint8_t *const buffer = message_bytes <= UINT32_MAX ? malloc(count * (ACCOUNT_KEY + TRANSFER_SIGNATURE) + message_bytes + 1) : NULL;
    uint32_t *const offsets = malloc((count + 1) * sizeof *offsets);
    if (buffer == NULL || offsets == NULL) {
        free(buffer);
        free(offsets);
        return PYCHAIN_NO_MEMORY;
    }
    uint8_t *const keys = buffer, *const signatures = keys + count * ACCOUNT_KEY, *const messages = signatures + count * TRANSFER_SIGNATURE;
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *const transfer = data + starts[i];
        const size_t body = ends[i] - starts[i] - TRANSFER_SIGNATURE;

        memcpy(keys + i * ACCOUNT_KEY, transfer + SENDER, ACCOUNT_KEY);
        memcpy(signatures + i * TRANSFER_SIGNATURE, transfer + body, TRANSFER_SIGNATURE);
        offsets[i] = (uint32_t)at;
        memcpy(messages + at, prefix, prefix_size);
        memcpy(messages + at + prefix_size, transfer, body);
        at += prefix_size + body;
    }
    offsets[count] = (uint32_t)at;
    pychain_ed25519_verify_batch(valid, keys, messages, at, offsets, signatures, count, seed, threads);
    free(buffer);
    free(offsets);
    return -1;
}
