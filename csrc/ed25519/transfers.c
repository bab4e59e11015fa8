/* The signatures of transfers, in place in a block. */
#include "../pychain.h"
#include "../transactions.h"
#include "signatures.h"

struct transfers {
    const uint8_t *data, *prefix;
    size_t prefix_size;
    const uint32_t *starts, *ends;
};

static struct signed_message from_transfers(const void *source, size_t i)
{
    const struct transfers *const transfers = source;
    const uint8_t *const transfer = transfers->data + transfers->starts[i];
    const size_t body = transfers->ends[i] - transfers->starts[i] - TRANSFER_SIGNATURE;

    return (struct signed_message){.key = transfer + SENDER,
                                   .signature = transfer + body,
                                   .pieces = {transfers->prefix, transfer},
                                   .sizes = {transfers->prefix_size, body}};
}

int64_t pychain_verify_transfers(uint8_t *valid, const uint8_t *data, size_t size, const uint32_t *starts,
                                 const uint32_t *ends, size_t count, const uint8_t *prefix, size_t prefix_size,
                                 const uint8_t *seed, unsigned threads)
{
    const struct transfers transfers = {data, prefix, prefix_size, starts, ends};
    const struct signature_batch batch = {from_transfers, &transfers, valid, seed, count, 0};

    for (size_t i = 0; i < count; i++)
        if (!is_transfer(data, size, starts[i], ends[i]))
            return (int64_t)i;
    verify_all(batch, threads);
    return -1;
}
