/* The transactions of a block in bulk: their offsets, and the fields of transfers. */
#define _GNU_SOURCE /* getentropy */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __APPLE__
#include <sys/random.h>
#endif

#include "pychain.h"
#include "transactions.h"

enum { HASH_SEED = 8 };

size_t pychain_transaction_offsets(uint32_t *offsets, const uint8_t *data, size_t size, size_t start, size_t count)
{
    size_t found = 0, at = start;

    offsets[0] = (uint32_t)at;
    while (found < count) {
        const size_t bytes = at < size ? transaction_size(data + at, size - at) : 0;

        if (bytes == 0)
            break;
        at += bytes;
        offsets[++found] = (uint32_t)at;
    }
    return found;
}

/* A slot of the table for a key: the pair-multiply-shift hash of its words (Thorup, High Speed Hashing for Integers and
 * Strings, 2015), whose collisions nobody can construct without the seed. */
static size_t slot_of(const uint8_t key[ACCOUNT_KEY], const uint64_t seed[HASH_SEED], unsigned shift)
{
    uint64_t sum = 0;

    for (int i = 0; i < HASH_SEED; i += 2)
        sum += (seed[i] + load_le(key + 4 * i, 4)) * (seed[i + 1] + load_le(key + 4 * i + 4, 4));
    return (size_t)(sum >> shift);
}

struct key_table {
    uint8_t *keys;   /* distinct keys in the order of first appearance */
    size_t count;
    uint32_t *slots; /* 1 + the index of a key, or 0 */
    size_t mask;
    unsigned shift;
    uint64_t seed[HASH_SEED];
};

static uint32_t index_of(struct key_table *table, const uint8_t key[ACCOUNT_KEY])
{
    size_t slot = slot_of(key, table->seed, table->shift);

    for (; table->slots[slot] != 0; slot = (slot + 1) & table->mask)
        if (memcmp(table->keys + (size_t)(table->slots[slot] - 1) * ACCOUNT_KEY, key, ACCOUNT_KEY) == 0)
            return table->slots[slot] - 1;
    memcpy(table->keys + table->count * ACCOUNT_KEY, key, ACCOUNT_KEY);
    table->slots[slot] = (uint32_t)++table->count;
    return (uint32_t)(table->count - 1);
}

int64_t pychain_transfer_rows(pychain_transfer *rows, uint8_t *keys, size_t *key_count, const uint8_t *data, size_t size,
                              const uint32_t *offsets, size_t count)
{
    struct key_table table = {.keys = keys, .shift = 61};
    size_t slots = 8;

    while (slots < 4 * count) { /* two keys per transfer: never more than half full */
        slots *= 2;
        table.shift--;
    }
    for (size_t i = 0; i < count; i++)
        if (!is_transfer(data, size, offsets[i], offsets[i + 1]))
            return (int64_t)i;
    table.mask = slots - 1;
    table.slots = calloc(slots, sizeof *table.slots);
    if (table.slots == NULL || getentropy(table.seed, sizeof table.seed) != 0) {
        free(table.slots);
        return PYCHAIN_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        const uint8_t *const transfer = data + offsets[i];

        rows[i].sender = index_of(&table, transfer + SENDER);
        rows[i].recipient = index_of(&table, transfer + RECIPIENT);
        rows[i].sequence = load_le(transfer + SEQUENCE, 8);
        rows[i].amount = load_le(transfer + AMOUNT, 8);
        rows[i].fee = load_le(transfer + FEE, 8);
    }
    *key_count = table.count;
    free(table.slots);
    return -1;
}
