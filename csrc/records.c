/* Records of one size for a table sorted by key: building, sorting, cutting into runs. */
#include <stdlib.h>
#include <string.h>

#include "pychain.h"

enum { PREFIX_BYTES = 8, SHORT_RUN = 8 };

/* A record and its first bytes, which decide most comparisons. */
struct entry {
    uint64_t prefix;
    const uint8_t *record;
};

static uint64_t prefix_of(const uint8_t *record, size_t size)
{
    uint64_t prefix = 0;

    for (size_t i = 0; i < PREFIX_BYTES; i++)
        prefix = prefix << 8 | (i < size ? record[i] : 0);
    return prefix;
}

static int is_above(size_t size, const struct entry *a, const struct entry *b)
{
    if (a->prefix != b->prefix)
        return a->prefix > b->prefix;
    return memcmp(a->record, b->record, size) > 0;
}

static void insertion_sort(size_t size, struct entry *entries, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        const struct entry entry = entries[i];
        size_t at = i;

        for (; at > 0 && is_above(size, &entries[at - 1], &entry); at--)
            entries[at] = entries[at - 1];
        entries[at] = entry;
    }
}

/* Merge two adjacent sorted runs of lengths `left` and `right`. */
static void merge(size_t size, struct entry *out, const struct entry *runs, size_t left, size_t right)
{
    const struct entry *a = runs, *b = runs + left;
    const struct entry *const a_end = b, *const b_end = b + right;

    while (a < a_end && b < b_end)
        *out++ = is_above(size, a, b) ? *b++ : *a++;
    memcpy(out, a, (size_t)(a_end - a) * sizeof *a);
    memcpy(out + (a_end - a), b, (size_t)(b_end - b) * sizeof *b);
}

static void fill_entries(struct entry *entries, const uint8_t *const *parts, const size_t *counts, size_t part_count,
                         size_t size)
{
    for (size_t part = 0; part < part_count; part++)
        for (size_t i = 0; i < counts[part]; i++) {
            const uint8_t *const record = parts[part] + i * size;

            *entries++ = (struct entry){prefix_of(record, size), record};
        }
}

int64_t pychain_sort_records(uint8_t *out, const uint8_t *const *parts, const size_t *counts, size_t part_count,
                             size_t size)
{
    size_t count = 0;

    for (size_t part = 0; part < part_count; part++)
        count += counts[part];
    struct entry *const memory = malloc(2 * count * sizeof *memory + 1);
    struct entry *from = memory, *to = memory + count;

    if (memory == NULL)
        return PYCHAIN_NO_MEMORY;
    fill_entries(from, parts, counts, part_count, size);
    for (size_t at = 0; at < count; at += SHORT_RUN)
        insertion_sort(size, from + at, count - at < SHORT_RUN ? count - at : SHORT_RUN);
    for (size_t run = SHORT_RUN; run < count; run *= 2) {
        for (size_t at = 0; at < count; at += 2 * run) {
            const size_t left = count - at < run ? count - at : run;
            const size_t right = count - at - left < run ? count - at - left : run;

            merge(size, to + at, from + at, left, right);
        }
        struct entry *const sorted = to;
        to = from;
        from = sorted;
    }
    for (size_t i = 0; i < count; i++)
        memcpy(out + i * size, from[i].record, size);
    free(memory);
    return -1;
}

size_t pychain_record_runs(uint32_t *starts, const uint8_t *records, size_t size, size_t count, size_t key,
                           size_t longest)
{
    size_t found = 0;

    for (size_t i = 0; i < count; i++)
        if (i == 0 || i - starts[found - 1] == longest ||
            memcmp(records + (i - 1) * size, records + i * size, key) != 0)
            starts[found++] = (uint32_t)i;
    return found;
}

enum { KEY_BYTES = 32 };

static uint8_t *put_touch(uint8_t *out, const uint8_t *key, uint64_t entry)
{
    memcpy(out, key, KEY_BYTES);
    for (int shift = 56, i = KEY_BYTES; shift >= 0; shift -= 8)
        out[i++] = (uint8_t)(entry >> shift);
    return out + PYCHAIN_TOUCH_BYTES;
}

int64_t pychain_touches(uint8_t *out, const uint8_t *keys, size_t key_count, const uint32_t *senders,
                        const uint32_t *recipients, size_t count, uint64_t first)
{
    const uint8_t *const begin = out;

    for (size_t i = 0; i < count; i++) {
        if (senders[i] >= key_count || recipients[i] >= key_count)
            return -1;
        out = put_touch(out, keys + (size_t)senders[i] * KEY_BYTES, first + i);
        if (recipients[i] != senders[i])
            out = put_touch(out, keys + (size_t)recipients[i] * KEY_BYTES, first + i);
    }
    return (out - begin) / PYCHAIN_TOUCH_BYTES;
}
