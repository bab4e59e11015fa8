/* Verifies batches on every kernel of the machine, over buffers of exactly the size that may be used, and compares with
 * what is known of each signature. Meant for a build with sanitizers; prints one line for each kernel and ends with 0
 * if nothing differs.
 *
 * Nothing here can sign. But a key and an R of small order make a valid signature with S = 0 on any message, and none
 * with S = 1 (ZIP-215). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pychain.h"

enum { KEY = 32, SIGNATURE = 64, SMALL = 4, LONGEST = 300 };

/* Encodings of points of order 1, 2, 4 and 8. */
static const uint8_t SMALL_ORDER[SMALL][KEY] = {
    {1},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
     0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
};

static uint64_t random_state = 1;

static uint32_t random_word(void) /* xorshift64* (Vigna 2016) */
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)(random_state * 0x2545f4914f6cdd1d >> 32);
}

/* `size` bytes that end with their allocation, and begin at an odd address. */
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
    return buffer;
}

/* One in `share` signatures is bad. Returns how many answers were wrong. */
static size_t wrong_answers(size_t count, unsigned share, unsigned threads, const uint8_t *seed)
{
    const struct buffer keys = allocate(count * KEY), signatures = allocate(count * SIGNATURE), valid = allocate(count);
    const struct buffer expected = allocate(count);
    uint32_t *const offsets = malloc((count + 1) * sizeof *offsets);
    size_t wrong = 0;

    if (offsets == NULL)
        abort();
    offsets[0] = 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t *const signature = signatures.bytes + i * SIGNATURE;

        memcpy(keys.bytes + i * KEY, SMALL_ORDER[random_word() % SMALL], KEY);
        memcpy(signature, SMALL_ORDER[random_word() % SMALL], KEY);
        memset(signature + KEY, 0, KEY);
        expected.bytes[i] = share == 0 || random_word() % share != 0;
        if (!expected.bytes[i])
            signature[random_word() % 2 ? KEY : KEY + 31] = (uint8_t)(1 + random_word() % 255); /* S small, or large */
        offsets[i + 1] = offsets[i] + random_word() % LONGEST;
    }
    const struct buffer messages = allocate(offsets[count]);
    memset(messages.bytes, 0x5a, offsets[count]);
    const int64_t done = pychain_ed25519_verify_batch(valid.bytes, keys.bytes, messages.bytes, offsets[count], offsets,
                                                      signatures.bytes, count, seed, threads);
    wrong += done != -1;
    for (size_t i = 0; i < count; i++) {
        wrong += valid.bytes[i] != expected.bytes[i];
        if (i < 8)
            wrong += pychain_ed25519_verify(keys.bytes + i * KEY, messages.bytes + offsets[i],
                                            offsets[i + 1] - offsets[i], signatures.bytes + i * SIGNATURE) != expected.bytes[i];
    }
    wrong += pychain_ed25519_verify_strict_batch(valid.bytes, keys.bytes, messages.bytes, offsets[count], offsets,
                                                 signatures.bytes, count, seed, threads) != -1;
    for (size_t i = 0; i < count; i++) /* small order: valid ones are in doubt, and all of a small batch */
        wrong += valid.bytes[i] != PYCHAIN_IN_DOUBT && (expected.bytes[i] || valid.bytes[i] != 0);
    if (count != 0 && offsets[count] != 0) {
        const uint32_t last = offsets[count]--;

        wrong += pychain_ed25519_verify_batch(valid.bytes, keys.bytes, messages.bytes, offsets[count] - 1, offsets,
                                              signatures.bytes, count, seed, threads) < 0;
        offsets[count] = last;
    }
    free(keys.memory);
    free(signatures.memory);
    free(valid.memory);
    free(expected.memory);
    free(messages.memory);
    free(offsets);
    return wrong;
}

/* How many answers about transfers in one buffer, `count` of them with memos of many lengths, differ from those about
 * each by itself. */
static int wrong_transfers(size_t count)
{
    enum { PREFIX = 51, HEAD = 91 };
    const struct buffer data = allocate(count * (HEAD + 40 + SIGNATURE)), prefix = allocate(PREFIX), valid = allocate(count);
    uint32_t *const starts = malloc((count + 1) * sizeof *starts), *const ends = malloc((count + 1) * sizeof *ends);
    uint8_t message[PREFIX + HEAD + 40];
    size_t at = 0;
    int wrong = 0;

    if (starts == NULL || ends == NULL)
        abort();
    for (size_t i = 0; i < count; i++) {
        starts[i] = (uint32_t)at;
        data.bytes[at] = 1;
        data.bytes[at + HEAD - 2] = (uint8_t)(i % 40);
        data.bytes[at + HEAD - 1] = 0;
        memset(data.bytes + at + 1, i % 2 ? 0 : 1, 32);                             /* R = A = the neutral element, */
        memset(data.bytes + at + HEAD + i % 40, 0, SIGNATURE);                      /* S = 0: holds for any message */
        data.bytes[at + 1] = 1, data.bytes[at + HEAD + i % 40] = 1;
        memset(data.bytes + at + 2, i % 3 == 0 ? 7 : 0, 31);
        at += HEAD + i % 40 + SIGNATURE;
        ends[i] = (uint32_t)at;
    }
    wrong += pychain_verify_transfers(valid.bytes, data.bytes, at, starts, ends, count, prefix.bytes, PREFIX, NULL, 2) != -1;
    for (size_t i = 0; i < count; i++) {
        const uint32_t body = ends[i] - starts[i] - SIGNATURE;

        memcpy(message, prefix.bytes, PREFIX);
        memcpy(message + PREFIX, data.bytes + starts[i], body);
        wrong += valid.bytes[i] != pychain_ed25519_verify(data.bytes + starts[i] + 1, message, PREFIX + body,
                                                          data.bytes + starts[i] + body);
    }
    if (count != 0) {
        ends[count - 1]--;
        wrong += pychain_verify_transfers(valid.bytes, data.bytes, at, starts, ends, count, prefix.bytes, PREFIX, NULL, 1) !=
                 (int64_t)count - 1;
    }
    free(data.memory);
    free(prefix.memory);
    free(valid.memory);
    free(starts);
    free(ends);
    return wrong;
}

int main(void)
{
    static const size_t COUNTS[] = {0, 1, 3, 5, 6, 7, 8, 9, 17, 64, 130, 511, 512, 513, 1100};
    static const uint8_t SEED[32] = {7};
    const size_t kernels = pychain_ed25519_init();

    for (size_t k = 0; k < kernels; k++) {
        const char *const kernel = pychain_ed25519_name(k);

        pychain_ed25519_use(kernel);
        for (size_t i = 0; i < sizeof COUNTS / sizeof *COUNTS; i++) {
            if (wrong_transfers(COUNTS[i]) != 0) {
                printf("%s is wrong about %zu transfers\n", kernel, COUNTS[i]);
                return 1;
            }
            for (unsigned share = 0; share < 3; share++)
                if (wrong_answers(COUNTS[i], share * 50, share + 1, share == 0 ? NULL : SEED) != 0) {
                    printf("%s is wrong about a batch of %zu\n", kernel, COUNTS[i]);
                    return 1;
                }
        }
        printf("%s agrees\n", kernel);
    }
    return kernels == 0 || pychain_ed25519_use("ed25519:abacus") != -1 || pychain_ed25519_in_use() == NULL;
}
