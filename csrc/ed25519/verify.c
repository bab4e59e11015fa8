/* Batches of Ed25519 signatures, exactly by ZIP-215: one random combination of the equations, and bisection if it
 * fails.
 *
 * For signatures (A, R, S) with S < L and A, R that decompress, and k = SHA-512(R | A | M), the rule demands
 * [8]([S]B - [k]A - R) = 0. A batch draws for each a weight z of 128 bits and checks
 *
 *     [8]( sum [z]R + sum [z k]A - [sum z S]B ) = 0,
 *
 * the sums of A taken for each distinct key together. Times 8, every term lies in the group of prime order L, so
 * scalars may be taken modulo L, and a batch with a bad signature passes for one value of its weight at most: with
 * probability 2^-128, whatever the other signatures are (Bellare, Garay, Rabin 1998; Bernstein et al. 2011).
 *
 * A sum that is not small is halved: the left half is summed with the same weights, the right half is the difference.
 * So finding one bad signature costs about one more sum, of points already decompressed and hashed. An attacker could
 * make this slow with many bad ones: once the summed halves reach PATIENCE times the chunk, the remaining signatures are
 * verified one by one.
 */
#include "verify.h"

#include "arena.h"

#ifdef __SIZEOF_INT128__

#include <stdlib.h>
#include <string.h>

enum {
    WEIGHTS_A_HASH = SHA512_DIGEST / 16,
    PROBES = 8,        /* slots of the table of keys to try; a key that finds none is summed alone */
    PATIENCE = 2,
    SUM_OVERHEAD = 16, /* signatures that the fixed cost of a sum is worth */
};

/* The working memory of one thread: a chunk of the batch. Arrays have `capacity` elements unless noted. */
struct chunk {
    const struct ed25519_kernel *kernel;
    const struct signature_batch *batch;
    size_t begin, count;   /* signatures of the batch */
    struct signed_message *items;
    size_t live;           /* those whose S, A and R are well-formed; the arrays below marked * hold these alone */
    uint32_t *index;       /* * which signature of the chunk */
    uint32_t *key;         /* the signature's key, among the distinct ones; * likewise */
    uint64_t (*s)[SCALAR_WORDS], (*challenge)[SCALAR_WORDS]; /* * */
    uint64_t (*weight)[2];                                   /* * */
    uint32_t *r;                                             /* * R's place in `points` */
    size_t keys;
    const uint8_t **encodings;      /* 2 * capacity: the distinct keys, then each R */
    struct ed25519_affine *points;  /* 2 * capacity + 1: the same decompressed, and the base point */
    uint8_t *valid;                 /* 2 * capacity: the same decompress */
    uint64_t (*key_sum)[SUM_WORDS]; /* of a key's scalars in the sum under way; zero between sums */
    uint8_t *key_used;              /* whether it has any; zero between sums */
    struct ed25519_term *terms;     /* 2 * capacity + 1 */
    struct sha512_input *inputs;
    uint8_t (*digests)[SHA512_DIGEST];
    uint32_t *table; /* of keys, 1 + the index of a distinct one; 0 is free */
    size_t table_size;
    void *work;
    size_t summed; /* signatures in the halves that were summed */
};

static size_t lay_out(struct chunk *chunk, uint8_t *memory, size_t capacity)
{
    struct arena arena = {memory, 0};

    chunk->table_size = 1;
    while (chunk->table_size < 2 * capacity)
        chunk->table_size *= 2;
    chunk->points = arena_take(&arena, (2 * capacity + 1) * sizeof *chunk->points);
    chunk->work = arena_take(&arena, chunk->kernel->work_size(capacity + 1, capacity));
    chunk->items = arena_take(&arena, capacity * sizeof *chunk->items);
    chunk->index = arena_take(&arena, capacity * sizeof *chunk->index);
    chunk->key = arena_take(&arena, capacity * sizeof *chunk->key);
    chunk->s = arena_take(&arena, capacity * sizeof *chunk->s);
    chunk->challenge = arena_take(&arena, capacity * sizeof *chunk->challenge);
    chunk->weight = arena_take(&arena, (capacity + WEIGHTS_A_HASH) * sizeof *chunk->weight);
    chunk->r = arena_take(&arena, capacity * sizeof *chunk->r);
    chunk->encodings = arena_take(&arena, 2 * capacity * sizeof *chunk->encodings);
    chunk->valid = arena_take(&arena, 2 * capacity);
    chunk->key_sum = arena_take(&arena, capacity * sizeof *chunk->key_sum);
    chunk->key_used = arena_take(&arena, capacity);
    chunk->terms = arena_take(&arena, (2 * capacity + 1) * sizeof *chunk->terms);
    chunk->inputs = arena_take(&arena, capacity * sizeof *chunk->inputs);
    chunk->digests = arena_take(&arena, capacity * sizeof *chunk->digests);
    chunk->table = arena_take(&arena, chunk->table_size * sizeof *chunk->table);
    return arena.used;
}

static struct sha512_input challenge_input(const struct signed_message *item)
{
    return (struct sha512_input){{item->signature, item->key, item->pieces[0], item->pieces[1]},
                                 {ENCODING, ENCODING, item->sizes[0], item->sizes[1]}};
}

static void challenge_from_digest(uint64_t challenge[SCALAR_WORDS], const uint8_t digest[SHA512_DIGEST])
{
    uint64_t words[8];

    for (int i = 0; i < 8; i++)
        words[i] = load_le64(digest + 8 * i);
    scalar_reduce(challenge, words);
}

/* Whether the equation holds for one signature; multiplied by v, which halves the scalars. */
static int holds(const struct ed25519_kernel *kernel, const struct ed25519_affine *a, const struct ed25519_affine *r,
                 const uint64_t s[SCALAR_WORDS], const uint64_t challenge[SCALAR_WORDS])
{
    struct ed25519_single equation = {.a = a, .r = r};
    uint64_t product[SUM_WORDS] = {0};
    struct ed25519_point difference;

    equation.add_a = scalar_halve(equation.u, equation.v, challenge);
    scalar_accumulate(product, equation.v, s);
    scalar_finish(equation.vs, product);
    kernel->single(&difference, &equation);
    return ed25519_is_small(&difference);
}

int verify_one(const struct ed25519_kernel *kernel, const struct signature_batch *batch, size_t i)
{
    const struct signed_message item = batch->get(batch->source, i);
    const uint8_t *const encodings[2] = {item.key, item.signature};
    const struct sha512_input input = challenge_input(&item);
    struct ed25519_affine points[2];
    uint8_t valid[2], digest[1][SHA512_DIGEST];
    uint64_t s[SCALAR_WORDS], challenge[SCALAR_WORDS];

    if (!scalar_from_bytes(s, item.signature + ENCODING))
        return 0;
    kernel->decompress(points, valid, encodings, 2);
    if (!valid[0] || !valid[1])
        return 0;
    sha512_hash(digest, &input, 1);
    challenge_from_digest(challenge, digest[0]);
    return holds(kernel, &points[0], &points[1], s, challenge);
}

/* Number the distinct keys of the chunk. */
static void fold_keys(struct chunk *chunk)
{
    memset(chunk->table, 0, chunk->table_size * sizeof *chunk->table);
    chunk->keys = 0;
    for (size_t i = 0; i < chunk->count; i++) {
        const uint8_t *const bytes = chunk->items[i].key;
        const uint64_t mixed = (load_le64(bytes) ^ load_le64(bytes + 16)) * 0x9e3779b97f4a7c15; /* 2^64 / golden ratio */
        size_t place = mixed >> 32, probe;

        for (probe = 0; probe < PROBES; probe++, place++) {
            const uint32_t found = chunk->table[place & (chunk->table_size - 1)];
            if (found == 0 || memcmp(chunk->encodings[found - 1], bytes, ENCODING) == 0)
                break;
        }
        uint32_t *const entry = &chunk->table[place & (chunk->table_size - 1)];
        if (probe < PROBES && *entry != 0) {
            chunk->key[i] = *entry - 1;
            continue;
        }
        chunk->key[i] = (uint32_t)chunk->keys;
        chunk->encodings[chunk->keys++] = bytes;
        if (probe < PROBES)
            *entry = (uint32_t)chunk->keys;
    }
}

/* Decompress, mark the malformed signatures as invalid, and hash the others. */
static void prepare(struct chunk *chunk)
{
    for (size_t i = 0; i < chunk->count; i++)
        chunk->items[i] = chunk->batch->get(chunk->batch->source, chunk->begin + i);
    fold_keys(chunk);
    for (size_t i = 0; i < chunk->count; i++)
        chunk->encodings[chunk->keys + i] = chunk->items[i].signature;
    chunk->kernel->decompress(chunk->points, chunk->valid, chunk->encodings, chunk->keys + chunk->count);
    chunk->live = 0;
    for (size_t i = 0; i < chunk->count; i++) {
        const size_t r = chunk->keys + i;
        const uint32_t key = chunk->key[i];

        chunk->batch->valid[chunk->begin + i] = 0;
        if (!scalar_from_bytes(chunk->s[chunk->live], chunk->items[i].signature + ENCODING) || !chunk->valid[key] ||
            !chunk->valid[r])
            continue;
        chunk->index[chunk->live] = (uint32_t)i;
        chunk->key[chunk->live] = key;
        chunk->r[chunk->live] = (uint32_t)r;
        chunk->inputs[chunk->live++] = challenge_input(&chunk->items[i]);
    }
    chunk->points[chunk->keys + chunk->count] = ED25519_BASE[0][0];
    chunk->kernel->hash(chunk->digests, chunk->inputs, chunk->live);
    for (size_t i = 0; i < chunk->live; i++)
        challenge_from_digest(chunk->challenge[i], chunk->digests[i]);
}

/* Four weights to each SHA-512 of seed, first signature of the chunk, and a counter. */
static void draw_weights(struct chunk *chunk)
{
    const size_t hashes = (chunk->live + WEIGHTS_A_HASH - 1) / WEIGHTS_A_HASH;
    uint64_t(*const counters)[2] = (uint64_t(*)[2])chunk->weight; /* are overwritten by the weights */

    for (size_t i = 0; i < hashes; i++) {
        counters[i][0] = chunk->begin;
        counters[i][1] = i;
        chunk->inputs[i] = (struct sha512_input){{chunk->batch->seed, (const uint8_t *)counters[i]},
                                                 {SEED, sizeof counters[i]}};
    }
    chunk->kernel->hash(chunk->digests, chunk->inputs, hashes);
    for (size_t i = 0; i < chunk->live; i++) {
        const uint8_t *const bytes = chunk->digests[i / WEIGHTS_A_HASH] + i % WEIGHTS_A_HASH * 16;

        chunk->weight[i][0] = load_le64(bytes);
        chunk->weight[i][1] = load_le64(bytes + 8);
    }
}

static struct ed25519_term *add_term(struct ed25519_term *terms, size_t *count, size_t point)
{
    struct ed25519_term *const term = &terms[(*count)++];

    memset(term, 0, sizeof *term);
    term->point = (uint32_t)point;
    return term;
}

/* The weighted sum of live signatures begin to end - 1. */
static void weighted_sum(struct chunk *chunk, size_t begin, size_t end, struct ed25519_point *out)
{
    uint64_t base[SUM_WORDS] = {0}, scalar[SCALAR_WORDS];
    size_t longs = 0, count;

    for (size_t i = begin; i < end; i++) {
        scalar_accumulate(base, chunk->weight[i], chunk->s[i]);
        scalar_accumulate(chunk->key_sum[chunk->key[i]], chunk->weight[i], chunk->challenge[i]);
        chunk->key_used[chunk->key[i]] = 1;
    }
    scalar_finish(scalar, base);
    scalar_negate(add_term(chunk->terms, &longs, chunk->keys + chunk->count)->scalar, scalar);
    for (size_t i = begin; i < end; i++) {
        const uint32_t key = chunk->key[i];

        if (!chunk->key_used[key])
            continue;
        scalar_finish(add_term(chunk->terms, &longs, key)->scalar, chunk->key_sum[key]);
        memset(chunk->key_sum[key], 0, sizeof chunk->key_sum[key]);
        chunk->key_used[key] = 0;
    }
    count = longs;
    for (size_t i = begin; i < end; i++)
        memcpy(add_term(chunk->terms, &count, chunk->r[i])->scalar, chunk->weight[i], sizeof chunk->weight[i]);
    chunk->kernel->sum(out, chunk->points, chunk->terms, longs, end - begin, chunk->work);
}

static void set_valid(const struct chunk *chunk, size_t i, int valid)
{
    chunk->batch->valid[chunk->begin + chunk->index[i]] = (uint8_t)valid;
}

/* Decide live signatures begin to end - 1, each by its own equation. */
static void settle_singly(struct chunk *chunk, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        set_valid(chunk, i, holds(chunk->kernel, &chunk->points[chunk->key[i]], &chunk->points[chunk->r[i]], chunk->s[i],
                                  chunk->challenge[i]));
}

/* The same if their weighted sum is known. */
static void settle(struct chunk *chunk, size_t begin, size_t end, const struct ed25519_point *sum)
{
    struct ed25519_point left, right;
    const size_t middle = begin + (end - begin) / 2;

    if (ed25519_is_small(sum)) {
        for (size_t i = begin; i < end; i++)
            set_valid(chunk, i, 1);
        return;
    }
    if (end - begin < chunk->kernel->worthwhile || chunk->summed > PATIENCE * chunk->live) {
        settle_singly(chunk, begin, end);
        return;
    }
    weighted_sum(chunk, begin, middle, &left);
    chunk->summed += middle - begin + SUM_OVERHEAD;
    ed25519_subtract(&right, sum, &left);
    settle(chunk, begin, middle, &left);
    settle(chunk, middle, end, &right);
}

/* Which valid signatures have both points in the group of prime order. */
static void tell_group(struct chunk *chunk)
{
    chunk->kernel->in_prime_group(chunk->valid, chunk->points, chunk->keys + chunk->count);
    for (size_t i = 0; i < chunk->live; i++)
        if (chunk->batch->valid[chunk->begin + chunk->index[i]] && chunk->valid[chunk->key[i]] &&
            chunk->valid[chunk->r[i]])
            set_valid(chunk, i, VALID_IN_PRIME_GROUP);
}

void verify_chunks(const struct ed25519_kernel *kernel, const struct signature_batch *batch, size_t capacity,
                   size_t (*next)(void *context, size_t *begin), void *context)
{
    struct chunk chunk = {.kernel = kernel, .batch = batch};
    const size_t size = lay_out(&chunk, NULL, capacity);
    uint8_t *const memory = aligned_alloc(ALIGNMENT, size);

    for (size_t begin, count; (count = next(context, &begin)) != 0;) {
        struct ed25519_point sum;

        if (memory == NULL) { /* slower, but it needs no memory */
            for (size_t i = begin; i < begin + count; i++)
                batch->valid[i] = (uint8_t)verify_one(kernel, batch, i);
            continue;
        }
        lay_out(&chunk, memory, capacity);
        chunk.begin = begin;
        chunk.count = count;
        chunk.summed = 0;
        memset(chunk.key_sum, 0, capacity * sizeof *chunk.key_sum);
        memset(chunk.key_used, 0, capacity);
        prepare(&chunk);
        if (chunk.live < kernel->worthwhile) {
            settle_singly(&chunk, 0, chunk.live);
        } else {
            draw_weights(&chunk);
            weighted_sum(&chunk, 0, chunk.live, &sum);
            settle(&chunk, 0, chunk.live, &sum);
        }
        if (batch->asks_group)
            tell_group(&chunk);
    }
    free(memory);
}

#else
typedef int not_empty; /* ISO C wants at least one declaration */
#endif
