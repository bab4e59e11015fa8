/* Double SHA-256 of many messages: messages with the same number of blocks share the lanes of a kernel.
 *
 * Messages wait in a group per number of blocks until the group fills all lanes, so mixed lengths waste lanes only in
 * the groups left over at the end.
 */
#include <string.h>

#include "hashing.h"
#include "kernels.h"

struct message {
    uint8_t *out;
    const uint8_t *data;
    size_t size;
};

struct batch {
    const struct sha256_kernel *kernel;
    size_t counts[MAX_LANE_BLOCKS + 1]; /* messages in each group; the index is their blocks, padding included */
    struct message groups[MAX_LANE_BLOCKS + 1][MAX_LANES];
};

static size_t padded_blocks(size_t size)
{
    return (size + 8) / BLOCK + 1; /* a marker byte and eight bytes of length follow the message */
}

/* Hash a group side by side; unused lanes repeat its first message. */
static void hash_in_lanes(const struct sha256_kernel *kernel, const struct message *group, size_t count, size_t blocks)
{
    const uint8_t *block[MAX_LANE_BLOCKS * MAX_LANES];
    uint8_t *out[MAX_LANES], tails[MAX_LANES][2 * BLOCK], ignored[DIGEST];

    for (size_t lane = 0; lane < kernel->lanes; lane++) {
        const struct message *const message = &group[lane < count ? lane : 0];
        const size_t whole = message->size / BLOCK, rest = message->size % BLOCK;

        out[lane] = lane < count ? message->out : ignored;
        for (size_t k = 0; k < blocks; k++)
            block[k * kernel->lanes + lane] = k < whole ? message->data + k * BLOCK : tails[lane] + (k - whole) * BLOCK;
        sha256_tail(tails[lane], message->data + whole * BLOCK, rest, message->size);
    }
    kernel->many(out, block, blocks);
}

static void flush(struct batch *batch, size_t blocks)
{
    const struct message *const group = batch->groups[blocks];
    const size_t count = batch->counts[blocks];

    if (count >= batch->kernel->worthwhile)
        hash_in_lanes(batch->kernel, group, count, blocks);
    else
        for (size_t i = 0; i < count; i++)
            sha256d_with(batch->kernel, group[i].out, group[i].data, group[i].size);
    batch->counts[blocks] = 0;
}

static void begin(struct batch *batch, const struct sha256_kernel *kernel)
{
    batch->kernel = kernel;
    memset(batch->counts, 0, sizeof batch->counts);
}

static void add(struct batch *batch, uint8_t *out, const uint8_t *data, size_t size)
{
    const size_t blocks = padded_blocks(size);

    if (batch->kernel->lanes == 0 || blocks > MAX_LANE_BLOCKS) {
        sha256d_with(batch->kernel, out, data, size);
        return;
    }
    batch->groups[blocks][batch->counts[blocks]++] = (struct message){out, data, size};
    if (batch->counts[blocks] == batch->kernel->lanes)
        flush(batch, blocks);
}

static void finish(struct batch *batch)
{
    for (size_t blocks = 1; blocks <= MAX_LANE_BLOCKS; blocks++)
        if (batch->counts[blocks] != 0)
            flush(batch, blocks);
}

void records_with(const struct sha256_kernel *kernel, uint8_t *out, const uint8_t *data, size_t size, size_t count)
{
    struct batch batch;

    if (size == PAIR && kernel->lanes != 0)
        for (; count >= kernel->lanes; count -= kernel->lanes) {
            kernel->pairs(out, data);
            out += kernel->lanes * DIGEST;
            data += kernel->lanes * PAIR;
        }
    begin(&batch, kernel);
    for (size_t i = 0; i < count; i++)
        add(&batch, out + i * DIGEST, data + i * size, size);
    finish(&batch);
}

void pychain_sha256d_records(uint8_t *out, const uint8_t *data, size_t size, size_t count)
{
    records_with(sha256_kernel(), out, data, size, count);
}

int64_t pychain_sha256d_many(uint8_t *out, const uint8_t *data, size_t size, const uint32_t *offsets, size_t count)
{
    struct batch batch;

    for (size_t i = 0; i <= count; i++)
        if (offsets[i] > size || (i != 0 && offsets[i] < offsets[i - 1]))
            return (int64_t)i;
    begin(&batch, sha256_kernel());
    for (size_t i = 0; i < count; i++)
        add(&batch, out + i * DIGEST, data + offsets[i], offsets[i + 1] - offsets[i]);
    finish(&batch);
    return -1;
}
