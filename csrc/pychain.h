/* The public header of pychain's C core: hashing, merkle trees, the proof-of-work search and signatures.
 *
 * Conventions: outputs first, then const inputs, then lengths. No function keeps a pointer after it returns, allocates
 * unless it says so, or reads or writes outside the lengths it was given. Hashes are 32 bytes in internal order (as
 * SHA-256 gives them). Everything is safe to call from several threads at once; only pychain_init, and for signatures
 * pychain_ed25519_init, must come first.
 *
 * The files form layers: each uses those above it, and those before it on its own line.
 *
 *     cpu                                         what the CPU can run
 *     sha256_portable, other sha256_* (sha256.h)  the kernels
 *     kernels                                     the one in use
 *     hash, batch, merkle, search (hashing.h)     the work, on a given kernel or the one in use
 *     dispatch                                    tests the kernels and chooses one
 *
 * In ed25519/ they are: scalar, sha512; portable, ifma (ed25519.h); verify; selftest; helpers; signatures, which tests
 * the kernels and chooses one; transfers. Beside them records and transactions need no kernel.
 *
 * build_native.py reads the declarations between the two `cffi` lines.
 */
#ifndef PYCHAIN_H
#define PYCHAIN_H

#include <stddef.h>
#include <stdint.h>

/* cffi: begin */

/* Detect the CPU, test each kernel against known digests and choose the first of the table that passes.
 * Returns the number of usable kernels: 0 means that this build must not be used. Later calls change nothing. */
size_t pychain_init(void);

/* The name of usable kernel `index` (best first), such as "sha256:shani", or NULL past the end. */
const char *pychain_kernel_name(size_t index);

/* The name of the kernel in use. */
const char *pychain_kernel_in_use(void);

/* Use the kernel called `name` from now on, in all threads. Returns 0, or -1 if no usable kernel has this name. */
int pychain_kernel_use(const char *name);

/* sha256(sha256(data)). */
void pychain_sha256d(uint8_t out[32], const uint8_t *data, size_t size);

/* Double hashes of `count` messages in one buffer: message i is data[offsets[i]] to data[offsets[i + 1]], so there
 * are count + 1 offsets. Writes 32 * count bytes and returns -1; or writes nothing and returns the index of the
 * first offset that is less than the previous one or greater than `size`. */
int64_t pychain_sha256d_many(uint8_t *out, const uint8_t *data, size_t size, const uint32_t *offsets, size_t count);

/* Double hashes of `count` records of `size` bytes each, back to back: block headers, pairs of hashes. */
void pychain_sha256d_records(uint8_t *out, const uint8_t *data, size_t size, size_t count);

/* Merkle root of `count` >= 1 leaves (32 * count bytes). `scratch` has room for (count + 1) / 2 hashes.
 * Returns 1 if the tree is mutated in the sense of CVE-2012-2459 (two equal siblings, neither of them a copy
 * made to fill an odd level), else 0; the root is written in both cases. */
int pychain_merkle_root(uint8_t root[32], const uint8_t *leaves, size_t count, uint8_t *scratch);

enum { PYCHAIN_MAX_VERSIONS = 64 };

typedef struct {
    uint32_t nonce;
    uint32_t version; /* its index among the given versions */
} pychain_hit;

typedef struct {
    uint64_t hashes; /* nonces tried times versions; if hit number `room` was reached, those up to it */
    size_t hits;     /* hits written */
} pychain_search_result;

/* Try the nonces start to start + count - 1 (start + count <= 2^32) in `header`, each under every one of the versions
 * (1 to PYCHAIN_MAX_VERSIONS; the version and nonce of `header` itself are ignored). Writes the combinations whose
 * double hash, read as a little-endian integer, is at most `target` (little-endian too), ordered by nonce and then by
 * version. Ends when the range does, or with hit number `room` >= 1, or soon after the byte at `stop` (which may be
 * NULL) becomes non-zero. Several versions cost less per hash than one: they share part of the work. */
pychain_search_result pychain_search(pychain_hit *hits, size_t room, const uint8_t header[80], const uint32_t *versions,
                                     size_t version_count, const uint8_t target[32], uint64_t start, uint64_t count,
                                     const uint8_t *stop);

/* Ed25519 verification by ZIP-215: like the four functions above, for its kernels, such as "ed25519:ifma". A compiler
 * without 128-bit integers gives none: then the name in use is NULL, and the functions after these must not be called. */
size_t pychain_ed25519_init(void);
const char *pychain_ed25519_name(size_t index);
const char *pychain_ed25519_in_use(void);
int pychain_ed25519_use(const char *name);

/* Whether the signature is valid: 1 or 0. */
int pychain_ed25519_verify(const uint8_t public_key[32], const uint8_t *message, uint32_t size,
                           const uint8_t signature[64]);

/* Verify `count` signatures (64 bytes each) under as many public keys (32 bytes each) over messages in one buffer, with
 * offsets as of pychain_sha256d_many. Writes a 1 or a 0 for each to `valid` and returns -1; or the index of the first bad
 * offset. `seed`, 32 unpredictable bytes used only once, or NULL for the operating system's, gives the random
 * weights; the probability of a wrong answer is 2^-128 per signature. Uses up to `threads` threads including the
 * caller's; 0 means as many as there are cores, if the batch is worth them. This function allocates; without memory,
 * threads or randomness it only takes longer. */
int64_t pychain_ed25519_verify_batch(uint8_t *valid, const uint8_t *public_keys, const uint8_t *messages, size_t size,
                                     const uint32_t *offsets, const uint8_t *signatures, size_t count,
                                     const uint8_t *seed, unsigned threads);

/* Whether a key is the one canonical encoding of a point whose order is not 1, 2, 4 or 8. */
int pychain_ed25519_is_canonical_large_order(const uint8_t public_key[32]);

enum { PYCHAIN_IN_DOUBT = 2 };

/* Like pychain_ed25519_verify_batch, by libsodium's stricter rule: no cofactor, no points of small order, only canonical
 * encodings. Writes a 2, PYCHAIN_IN_DOUBT, for valid signatures whose key or R has a component of small order or
 * another encoding: libsodium must decide those. */
int64_t pychain_ed25519_verify_strict_batch(uint8_t *valid, const uint8_t *public_keys, const uint8_t *messages,
                                            size_t size, const uint32_t *offsets, const uint8_t *signatures,
                                            size_t count, const uint8_t *seed, unsigned threads);

/* The offsets of `count` adjacent transactions from data[start] on: writes count + 1 offsets, the last one the end of
 * all, and returns `count`; or fewer, if the next one is incomplete or of an unknown type. `size` is under 2^32. */
size_t pychain_transaction_offsets(uint32_t *offsets, const uint8_t *data, size_t size, size_t start, size_t count);

typedef struct {
    uint32_t sender, recipient; /* indexes of their keys */
    uint64_t sequence, amount, fee;
} pychain_transfer;

/* The result of the function below if it cannot allocate memory. */
enum { PYCHAIN_NO_MEMORY = -2 };

/* The fields of `count` transfers; transfer i is data[offsets[i]] to data[offsets[i + 1]]. `keys` has room for
 * 2 * count keys of 32 bytes: it gets each account once, in the order of first appearance, a sender before its
 * recipient. Returns -1; or the index of the first that is not a complete transfer. */
int64_t pychain_transfer_rows(pychain_transfer *rows, uint8_t *keys, size_t *key_count, const uint8_t *data, size_t size,
                              const uint32_t *offsets, size_t count);

/* Verify the signatures of `count` transfers; transfer i is data[starts[i]] to data[ends[i]]. A signature covers `prefix`
 * and its transfer up to the signature. Writes a 1 or a 0 for each and returns -1; or the index of the first that is not
 * a complete transfer. Otherwise like pychain_ed25519_verify_batch. */
int64_t pychain_verify_transfers(uint8_t *valid, const uint8_t *data, size_t size, const uint32_t *starts,
                                 const uint32_t *ends, size_t count, const uint8_t *prefix, size_t prefix_size,
                                 const uint8_t *seed, unsigned threads);

/* Records of `size` bytes each, back to back in parts of `counts` records, sorted as bytes, including equal ones.
 * Returns -1, or PYCHAIN_NO_MEMORY (it allocates 32 bytes per record). */
int64_t pychain_sort_records(uint8_t *out, const uint8_t *const *parts, const size_t *counts, size_t part_count,
                             size_t size);

/* The starts of runs among `count` adjacent records (under 2^32) of `size` bytes each: neighbours with the same first
 * `key` bytes, at most `longest` >= 1 of them. `starts` has room for `count`. Returns the number of runs. */
size_t pychain_record_runs(uint32_t *starts, const uint8_t *records, size_t size, size_t count, size_t key,
                           size_t longest);

enum { PYCHAIN_TOUCH_BYTES = 40 };

/* The accounts of `count` transactions, given as indexes into keys of 32 bytes: for each, a record of the sender's key and
 * a number, and one of the recipient's key unless it is the same. The number of transaction i is `first` + i, 8 bytes,
 * big-endian. `out` has room for two records per transaction. Returns the number of records, or -1 for a bad index. */
int64_t pychain_touches(uint8_t *out, const uint8_t *keys, size_t key_count, const uint32_t *senders,
                        const uint32_t *recipients, size_t count, uint64_t first);

/* The CPU's own name, and the instruction sets that the kernels use and both it and the operating system support,
 * separated by spaces. Both end in a zero byte and are cut to `size`. */
void pychain_cpu_name(char *out, size_t size);
void pychain_cpu_features(char *out, size_t size);

/* The compiler that built this library. */
const char *pychain_compiler(void);

/* cffi: end */

#endif
