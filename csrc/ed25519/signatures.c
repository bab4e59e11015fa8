/* The entry points of signature verification: kernels by name, single signatures, and batches on several threads. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* getentropy, sched_getaffinity */
#endif

#include "pychain.h"
#include "cpu.h"
#include "helpers.h"
#include "selftest.h"
#include "signatures.h"

#ifdef __SIZEOF_INT128__

#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>
#ifdef __APPLE__
#include <sys/random.h>
#endif

enum {
    CHUNK = 512,        /* signatures summed together: more gains little, fewer are searched when one is bad */
    THREAD_SHARE = 128, /* the fewest signatures for which another thread is used */
    MOST_THREADS = MOST_HELPERS + 1,
    LAST_ROUND = 40, /* its first chunk is larger by this part */
};

static const struct ed25519_kernel *const TABLE[] = {
#ifdef PYCHAIN_X86
    &ED25519_IFMA,
#endif
    &ED25519_PORTABLE,
};
enum { TABLE_SIZE = sizeof TABLE / sizeof *TABLE };

static const struct ed25519_kernel *usable[TABLE_SIZE];
static size_t usable_count;
static _Atomic(const struct ed25519_kernel *) in_use;

size_t pychain_ed25519_init(void)
{
    const unsigned features = cpu_features();

    if (usable_count != 0)
        return usable_count;
    ed25519_fill_base();
    helpers_init();
    for (size_t i = 0; i < TABLE_SIZE; i++)
        if (!(TABLE[i]->needs & ~features) && ed25519_selftest(TABLE[i]))
            usable[usable_count++] = TABLE[i];
    atomic_store(&in_use, usable_count != 0 ? usable[0] : NULL);
    return usable_count;
}

/* The kernel in use, NULL before pychain_ed25519_init or if there is none. */
static const struct ed25519_kernel *ed25519_kernel(void)
{
    return atomic_load_explicit(&in_use, memory_order_relaxed);
}

const char *pychain_ed25519_name(size_t index)
{
    return index < usable_count ? usable[index]->name : NULL;
}

const char *pychain_ed25519_in_use(void)
{
    return ed25519_kernel() != NULL ? ed25519_kernel()->name : NULL;
}

int pychain_ed25519_use(const char *name)
{
    for (size_t i = 0; i < usable_count; i++)
        if (strcmp(usable[i]->name, name) == 0) {
            atomic_store(&in_use, usable[i]);
            return 0;
        }
    return -1;
}

/* Keys and signatures back to back, and messages in one buffer. */
struct lists {
    const uint8_t *keys, *messages, *signatures;
    const uint32_t *offsets; /* one more than there are messages; in order */
};

static struct signed_message from_lists(const void *source, size_t i)
{
    const struct lists *const lists = source;
    const uint32_t *const offset = lists->offsets + i;

    return (struct signed_message){.key = lists->keys + i * ENCODING,
                                   .signature = lists->signatures + i * SIGNATURE,
                                   .pieces = {lists->messages + offset[0]},
                                   .sizes = {offset[1] - offset[0]}};
}

int pychain_ed25519_verify(const uint8_t public_key[32], const uint8_t *message, uint32_t size,
                           const uint8_t signature[64])
{
    const uint32_t offsets[2] = {0, size};
    const struct lists lists = {public_key, message, signature, offsets};
    const struct signature_batch one = {.get = from_lists, .source = &lists, .count = 1};

    return verify_one(ed25519_kernel(), &one, 0);
}

/* Cores that this process may use. */
static size_t cores(void)
{
#ifdef __linux__
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return (size_t)CPU_COUNT(&set);
#endif
    const long online = sysconf(_SC_NPROCESSORS_ONLN);

    return online > 0 ? (size_t)online : 1;
}

/* The state shared by the threads of one call. */
struct job {
    const struct ed25519_kernel *kernel;
    const struct signature_batch *batch;
    size_t threads, chunks, size; /* of a chunk, about */
    atomic_size_t next;
};

/* The start of chunk `index`. Each thread gets equally many chunks, of equal size except in the last round, where they
 * get smaller: the first thread to ask, usually the caller, has worked longest, so that all end together. */
static size_t begin_of(const struct job *job, size_t index)
{
    const size_t before = job->chunks - job->threads, late = index > before ? index - before : 0;
    const size_t step = job->threads > 1 ? job->size / (LAST_ROUND * (job->threads - 1)) : 0;
    const size_t begin = index * job->size + step * late * (job->threads - late);

    return index < job->chunks && begin < job->batch->count ? begin : job->batch->count;
}

static size_t next_chunk(void *context, size_t *begin)
{
    struct job *const job = context;
    const size_t index = atomic_fetch_add(&job->next, 1);

    if (index >= job->chunks)
        return 0;
    *begin = begin_of(job, index);
    return begin_of(job, index + 1) - *begin;
}

static void run(void *context)
{
    struct job *const job = context;

    verify_chunks(job->kernel, job->batch, job->size + job->size / LAST_ROUND + 1, next_chunk, job);
}

/* The first bad offset of a batch, or -1. */
static int64_t bad_offset(const uint32_t *offsets, size_t count, size_t size)
{
    for (size_t i = 0; i <= count; i++)
        if (offsets[i] > size || (i != 0 && offsets[i] < offsets[i - 1]))
            return (int64_t)i;
    return -1;
}

void verify_all(struct signature_batch batch, unsigned threads)
{
    const struct ed25519_kernel *const kernel = ed25519_kernel();
    const int is_small = batch.count < kernel->worthwhile;
    uint8_t drawn[SEED];

    if (batch.count == 0)
        return;
    if (batch.seed == NULL && !is_small && getentropy(drawn, sizeof drawn) == 0)
        batch.seed = drawn;
    if (is_small ? !batch.asks_group : batch.seed == NULL) {
        for (size_t i = 0; i < batch.count; i++)
            batch.valid[i] = verify_one(kernel, &batch, i) ? VALID : INVALID;
        return;
    }
    size_t most = threads != 0 ? threads : cores();
    most = most < MOST_THREADS ? most : MOST_THREADS;
    most = most < batch.count / THREAD_SHARE ? most : batch.count / THREAD_SHARE;
    most = most > 1 ? most : 1;
    const size_t chunks = (batch.count + most * CHUNK - 1) / (most * CHUNK) * most;
    struct job job = {.kernel = kernel, .batch = &batch, .threads = most, .chunks = chunks};
    job.size = (batch.count + chunks - 1) / chunks;
    struct task task = {.run = run, .context = &job};
    atomic_init(&job.next, 0);
    helpers_run(&task, (unsigned)most - 1);
}

int64_t pychain_ed25519_verify_batch(uint8_t *valid, const uint8_t *public_keys, const uint8_t *messages, size_t size,
                                     const uint32_t *offsets, const uint8_t *signatures, size_t count,
                                     const uint8_t *seed, unsigned threads)
{
    const struct lists lists = {public_keys, messages, signatures, offsets};
    const struct signature_batch batch = {from_lists, &lists, valid, seed, count, 0};
    const int64_t bad = bad_offset(offsets, count, size);

    if (bad < 0)
        verify_all(batch, threads);
    return bad;
}

/* Whether y is below p (RFC 8032, 5.1.3). */
static int is_canonical(const uint8_t encoding[ENCODING])
{
    if (encoding[0] < 0xed || (encoding[ENCODING - 1] & 0x7f) != 0x7f)
        return 1;
    for (size_t i = 1; i + 1 < ENCODING; i++)
        if (encoding[i] != 0xff)
            return 1;
    return 0;
}

int pychain_ed25519_is_canonical_large_order(const uint8_t public_key[32])
{
    const uint8_t *const encodings[1] = {public_key};
    struct ed25519_affine affine[1];
    struct ed25519_point point;
    uint8_t valid[1];

    ed25519_kernel()->decompress(affine, valid, encodings, 1);
    ed25519_from_affine(&point, affine);
    return valid[0] && is_canonical(public_key) && !ed25519_is_small(&point);
}

/* If A and R are canonical points of the group of prime order, and S < L, the equation with and without the cofactor
 * is the same. */
int64_t pychain_ed25519_verify_strict_batch(uint8_t *valid, const uint8_t *public_keys, const uint8_t *messages,
                                            size_t size, const uint32_t *offsets, const uint8_t *signatures,
                                            size_t count, const uint8_t *seed, unsigned threads)
{
    const struct lists lists = {public_keys, messages, signatures, offsets};
    const struct signature_batch batch = {from_lists, &lists, valid, seed, count, 1};
    const int64_t bad = bad_offset(offsets, count, size);

    if (bad >= 0)
        return bad;
    verify_all(batch, threads);
    for (size_t i = 0; i < count; i++)
        if (valid[i] != INVALID)
            valid[i] = valid[i] == VALID_IN_PRIME_GROUP && is_canonical(public_keys + i * ENCODING) &&
                               is_canonical(signatures + i * SIGNATURE)
                           ? VALID
                           : PYCHAIN_IN_DOUBT;
    return -1;
}

#else

void verify_all(struct signature_batch batch, unsigned threads)
{
    (void)threads;
    for (size_t i = 0; i < batch.count; i++)
        batch.valid[i] = INVALID;
}

size_t pychain_ed25519_init(void)
{
    return 0;
}

const char *pychain_ed25519_name(size_t index)
{
    (void)index;
    return NULL;
}

const char *pychain_ed25519_in_use(void)
{
    return NULL;
}

int pychain_ed25519_use(const char *name)
{
    (void)name;
    return -1;
}

int pychain_ed25519_verify(const uint8_t public_key[32], const uint8_t *message, uint32_t size,
                           const uint8_t signature[64])
{
    (void)public_key, (void)message, (void)size, (void)signature;
    return 0;
}

int64_t pychain_ed25519_verify_batch(uint8_t *valid, const uint8_t *public_keys, const uint8_t *messages, size_t size,
                                     const uint32_t *offsets, const uint8_t *signatures, size_t count,
                                     const uint8_t *seed, unsigned threads)
{
    (void)public_keys, (void)messages, (void)size, (void)offsets, (void)signatures, (void)seed, (void)threads;
    for (size_t i = 0; i < count; i++)
        valid[i] = 0;
    return -1;
}

int pychain_ed25519_is_canonical_large_order(const uint8_t public_key[32])
{
    (void)public_key;
    return 0;
}

int64_t pychain_ed25519_verify_strict_batch(uint8_t *valid, const uint8_t *public_keys, const uint8_t *messages,
                                            size_t size, const uint32_t *offsets, const uint8_t *signatures,
                                            size_t count, const uint8_t *seed, unsigned threads)
{
    (void)public_keys, (void)messages, (void)size, (void)offsets, (void)signatures, (void)seed, (void)threads;
    for (size_t i = 0; i < count; i++)
        valid[i] = PYCHAIN_IN_DOUBT;
    return -1;
}

#endif
