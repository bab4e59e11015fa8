/* Runs every function of the C core on every kernel of the machine, over buffers of exactly the size that it may use,
 * and compares the results with those of the portable kernel. Meant for a build with sanitizers, or for another
 * architecture; prints one line for each kernel and ends with 0 if nothing differs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pychain.h"

enum { MOST_RESULT = 4096 };

static uint64_t random_state = 1;

static uint32_t random_word(void) /* xorshift64* (Vigna 2016) */
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)(random_state * 0x2545f4914f6cdd1d >> 32);
}

/* `size` random bytes that begin at an odd address and end with their allocation. */
struct buffer {
    uint8_t *memory, *bytes;
};

static struct buffer allocate(size_t size)
{
    struct buffer buffer;

    buffer.memory = malloc(size + 1);
    if (buffer.memory == NULL)
        abort();
    buffer.bytes = buffer.memory + 1;
    for (size_t i = 0; i < size; i++)
        buffer.bytes[i] = (uint8_t)random_word();
    return buffer;
}

/* Each check runs one case on the kernel in use and writes what it gave to `result`; returns the bytes written. The
 * case depends on `number` alone, so both kernels get the same. */
typedef size_t check(unsigned number, uint8_t result[MOST_RESULT]);

static size_t check_one(unsigned number, uint8_t result[MOST_RESULT])
{
    const struct buffer data = allocate(number), out = allocate(32);

    pychain_sha256d(out.bytes, data.bytes, number);
    memcpy(result, out.bytes, 32);
    free(data.memory);
    free(out.memory);
    return 32;
}

static size_t check_many(unsigned number, uint8_t result[MOST_RESULT])
{
    const size_t count = number % 80;
    uint32_t *offsets = malloc((count + 1) * sizeof *offsets);

    if (offsets == NULL)
        abort();
    offsets[0] = random_word() % 3;
    for (size_t i = 0; i < count; i++)
        offsets[i + 1] = offsets[i] + random_word() % (number % 3 == 0 ? 1300 : 130);

    const struct buffer data = allocate(offsets[count]), out = allocate(count * 32);
    const int64_t done = pychain_sha256d_many(out.bytes, data.bytes, offsets[count], offsets, count);
    const size_t short_size = offsets[count] - (offsets[count] != 0);
    const int64_t refused = pychain_sha256d_many(out.bytes, data.bytes, short_size, offsets, count);

    if (done != -1 || (offsets[count] != 0 && refused == -1))
        abort();
    memcpy(result, out.bytes, count * 32);
    free(data.memory);
    free(out.memory);
    free(offsets);
    return count * 32;
}

static size_t check_records(unsigned number, uint8_t result[MOST_RESULT])
{
    static const size_t SIZES[] = {1, 31, 32, 55, 56, 63, 64, 65, 80, 119, 120, 155, 1100};
    const size_t size = SIZES[number % (sizeof SIZES / sizeof *SIZES)], count = number % 41;
    const struct buffer data = allocate(count * size), out = allocate(count * 32);

    pychain_sha256d_records(out.bytes, data.bytes, size, count);
    memcpy(result, out.bytes, count * 32);
    free(data.memory);
    free(out.memory);
    return count * 32;
}

static size_t check_merkle(unsigned number, uint8_t result[MOST_RESULT])
{
    const size_t count = number < 64 ? number + 1 : number * 9, half = (size_t)1 << number % 6; /* of a subtree */
    const struct buffer leaves = allocate(count * 32), scratch = allocate((count + 1) / 2 * 32), root = allocate(32);

    if (number % 5 == 0 && count >= 2 * half)
        memcpy(leaves.bytes + half * 32, leaves.bytes, half * 32);
    result[32] = (uint8_t)pychain_merkle_root(root.bytes, leaves.bytes, count, scratch.bytes);
    memcpy(result, root.bytes, 32);
    free(leaves.memory);
    free(scratch.memory);
    free(root.memory);
    return 33;
}

static size_t check_search(unsigned number, uint8_t result[MOST_RESULT])
{
    const size_t version_count = 1 + random_word() % (number % 2 == 0 ? 1 : PYCHAIN_MAX_VERSIONS);
    const size_t room = 1 + random_word() % 60;
    const uint64_t count = random_word() % 100;
    const uint64_t start = number % 3 == 0 ? 0x100000000 - count : random_word() % 1000;
    const struct buffer header = allocate(80), target = allocate(32);
    uint32_t *versions = malloc(version_count * sizeof *versions);
    pychain_hit *hits = malloc(room * sizeof *hits);
    const uint8_t go = 0, stop = 1;

    if (versions == NULL || hits == NULL)
        abort();
    for (size_t i = 0; i < version_count; i++)
        versions[i] = random_word();
    target.bytes[31] >>= number % 9; /* from every second hash to none */

    const pychain_search_result none =
        pychain_search(hits, room, header.bytes, versions, version_count, target.bytes, start, count, &stop);
    const pychain_search_result some =
        pychain_search(hits, room, header.bytes, versions, version_count, target.bytes, start, count, &go);

    if (none.hits != 0 || none.hashes != 0)
        abort();
    memcpy(result, &some.hashes, sizeof some.hashes);
    memcpy(result + sizeof some.hashes, hits, some.hits * sizeof *hits);
    free(header.memory);
    free(target.memory);
    free(versions);
    free(hits);
    return sizeof some.hashes + some.hits * sizeof *hits;
}

/* Some transactions of both kinds, cut off anywhere, read back: offsets, and the rows of the first run of transfers. */
static size_t check_transactions(unsigned number, uint8_t result[MOST_RESULT])
{
    const struct buffer data = allocate(number * 7);
    size_t size = 0, transfers = 0, first = 0, accounts = 0;
    uint32_t offsets[64];

    for (uint32_t kind = random_word(); size + 160 < number * 7; size += kind % 3 == 0 ? 46 + kind % 50 : 155 + kind % 40) {
        kind = random_word();
        data.bytes[size] = kind % 3 != 0;
        if (kind % 3 == 0)
            data.bytes[size + 45] = (uint8_t)(kind % 50);
        else
            memcpy(data.bytes + size + 89, (uint8_t[]){(uint8_t)(kind % 40), 0}, 2);
    }
    const size_t found = pychain_transaction_offsets(offsets, data.bytes, number * 7, 0, 63);
    while (first < found && data.bytes[offsets[first]] != 1)
        first++;
    while (first + transfers < found && data.bytes[offsets[first + transfers]] == 1)
        transfers++;
    pychain_transfer *const rows = malloc(transfers * sizeof *rows + 1);
    const struct buffer keys = allocate(transfers * 64);
    memcpy(result, offsets, (found + 1) * sizeof *offsets);
    if (rows == NULL || pychain_transfer_rows(rows, keys.bytes, &accounts, data.bytes, number * 7, offsets + first, transfers) != -1)
        abort();
    if (first + transfers < found &&
        pychain_transfer_rows(rows, keys.bytes, &accounts, data.bytes, number * 7, offsets + first + transfers, 1) != 0)
        abort();
    free(rows);
    free(keys.memory);
    free(data.memory);
    return (found + 1) * sizeof *offsets;
}

/* Records of few different bytes, sorted. */
static size_t check_sort(unsigned number, uint8_t result[MOST_RESULT])
{
    const size_t size = 1 + random_word() % 40, count = number;
    const size_t counts[] = {count / 3, 0, count - count / 3};
    const struct buffer some = allocate(size * counts[0]), others = allocate(size * counts[2]);
    const struct buffer sorted = allocate(size * count);
    const uint8_t *const parts[] = {some.bytes, NULL, others.bytes};

    for (size_t i = 0; i < size * counts[0]; i++)
        some.bytes[i] = (uint8_t)(random_word() % 3);
    for (size_t i = 0; i < size * counts[2]; i++)
        others.bytes[i] = (uint8_t)(random_word() % 3);
    if (pychain_sort_records(sorted.bytes, parts, counts, 3, size) != -1)
        abort();
    for (size_t i = 1; i < count; i++)
        if (memcmp(sorted.bytes + (i - 1) * size, sorted.bytes + i * size, size) > 0)
            abort();
    memcpy(result, sorted.bytes, size * count);
    free(some.memory);
    free(others.memory);
    free(sorted.memory);
    return size * count;
}

/* The touches of a block of few accounts, and their runs. */
static size_t check_touches(unsigned number, uint8_t result[MOST_RESULT])
{
    const size_t keys = 1 + random_word() % 5, count = number;
    const struct buffer key = allocate(32 * keys), out = allocate(2 * PYCHAIN_TOUCH_BYTES * count);
    uint32_t *const senders = malloc(count * sizeof *senders + 1), *const recipients = malloc(count * sizeof *recipients + 1);
    uint32_t *const starts = malloc(2 * count * sizeof *starts + 1);

    if (senders == NULL || recipients == NULL || starts == NULL)
        abort();
    for (size_t i = 0; i < count; i++) {
        senders[i] = random_word() % (uint32_t)keys;
        recipients[i] = random_word() % (uint32_t)keys;
    }
    const int64_t found = pychain_touches(out.bytes, key.bytes, keys, senders, recipients, count, random_word());
    if (found < 0)
        abort();
    const size_t runs = pychain_record_runs(starts, out.bytes, PYCHAIN_TOUCH_BYTES, (size_t)found, 32, 1 + number % 3);
    memcpy(result, out.bytes, (size_t)found * PYCHAIN_TOUCH_BYTES);
    memcpy(result + found * PYCHAIN_TOUCH_BYTES, starts, runs * sizeof *starts);
    if (count > 0) {
        senders[number / 2] = (uint32_t)keys;
        if (pychain_touches(out.bytes, key.bytes, keys, senders, recipients, count, 0) != -1)
            abort();
    }
    free(starts);
    free(recipients);
    free(senders);
    free(out.memory);
    free(key.memory);
    return (size_t)found * PYCHAIN_TOUCH_BYTES + runs * sizeof *starts;
}

static const struct {
    const char *name;
    check *run;
    unsigned cases;
} CHECKS[] = {
    {"sha256d", check_one, 400},       {"sha256d_many", check_many, 160}, {"sha256d_records", check_records, 533},
    {"merkle_root", check_merkle, 90}, {"search", check_search, 400},
    {"transactions", check_transactions, 300}, {"sort", check_sort, 100},
    {"touches", check_touches, 40},
};

/* Whether a case gives the same on `kernel` and on the portable one. */
static int same(size_t which, unsigned number, const char *kernel)
{
    static uint8_t expected[MOST_RESULT], result[MOST_RESULT];
    const uint64_t seed = 1 + number + ((uint64_t)which << 32);

    random_state = seed;
    pychain_kernel_use("sha256:portable");
    const size_t size = CHECKS[which].run(number, expected);
    random_state = seed;
    pychain_kernel_use(kernel);
    return CHECKS[which].run(number, result) == size && memcmp(result, expected, size) == 0;
}

int main(void)
{
    const size_t kernels = pychain_init();
    char text[256];

    for (size_t i = 0; i < kernels; i++) {
        const char *const kernel = pychain_kernel_name(i);

        for (size_t which = 0; which < sizeof CHECKS / sizeof *CHECKS; which++)
            for (unsigned number = 0; number < CHECKS[which].cases; number++)
                if (!same(which, number, kernel)) {
                    printf("%s differs in case %u of %s\n", kernel, number, CHECKS[which].name);
                    return 1;
                }
        printf("%s agrees\n", kernel);
    }
    for (size_t size = 1; size < sizeof text; size++) {
        pychain_cpu_name(text, size);
        pychain_cpu_features(text, size);
    }
    return kernels == 0 || pychain_kernel_name(kernels) != NULL || pychain_kernel_use("sha256:abacus") != -1;
}
