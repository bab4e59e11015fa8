/* The bytes of transactions (as pychain.chain.transaction documents them), for the C files that parse them. */
#ifndef PYCHAIN_TRANSACTIONS_H
#define PYCHAIN_TRANSACTIONS_H

#include <stddef.h>
#include <stdint.h>

enum { ACCOUNT_KEY = 32, TRANSFER_SIGNATURE = 64 };
enum { COINBASE = 0, TRANSFER = 1 };
/* Offsets of a transfer's fields, and the bytes of both kinds without their variable parts. */
enum { SENDER = 1, SEQUENCE = 33, RECIPIENT = 41, AMOUNT = 73, FEE = 81, MEMO_SIZE = 89, MEMO = 91 };
enum { TRANSFER_BYTES = MEMO + TRANSFER_SIGNATURE, EXTRA_SIZE = 45, COINBASE_BYTES = 46 };

static inline uint64_t load_le(const uint8_t *data, int bytes)
{
    uint64_t value = 0;

    for (int i = bytes - 1; i >= 0; i--)
        value = value << 8 | data[i];
    return value;
}

/* The size of the transaction at the start of `data`; 0 if it is incomplete or its type is unknown. */
static inline size_t transaction_size(const uint8_t *data, size_t size)
{
    size_t whole = 0;

    if (size >= TRANSFER_BYTES && data[0] == TRANSFER)
        whole = TRANSFER_BYTES + (size_t)load_le(data + MEMO_SIZE, 2);
    else if (size >= COINBASE_BYTES && data[0] == COINBASE)
        whole = COINBASE_BYTES + (size_t)data[EXTRA_SIZE];
    return whole <= size ? whole : 0;
}

/* Whether data[start] to data[end] is exactly one transfer. */
static inline int is_transfer(const uint8_t *data, size_t size, size_t start, size_t end)
{
    return start < end && end <= size && data[start] == TRANSFER &&
           transaction_size(data + start, end - start) == end - start;
}

#endif
