/* The public header of pychain's C core: hashing, merkle trees and the proof-of-work search.
 *
 * Conventions: outputs first, then const inputs, then lengths. No function allocates, keeps a pointer after it
 * returns, or reads or writes outside the lengths it was given. Hashes are 32 bytes in internal order (as SHA-256
 * gives them). Everything is safe to call from several threads at once; only pychain_init must come first.
 *
 * The declarations between the two `cffi` lines are read as they stand by build_native.py.
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
 * first offset that is smaller than the one before or greater than `size`. */
int64_t pychain_sha256d_many(uint8_t *out, const uint8_t *data, size_t size, const uint32_t *offsets, size_t count);

/* Double hashes of `count` records of `size` bytes each, back to back: block headers, pairs of hashes. */
void pychain_sha256d_records(uint8_t *out, const uint8_t *data, size_t size, size_t count);

/* Merkle root of `count` >= 1 leaves (32 * count bytes). `scratch` has room for (count + 1) / 2 hashes.
 * Returns 1 if the tree is mutated in the sense of CVE-2012-2459 (two equal siblings, neither of them a copy
 * made to fill an odd level), else 0; the root is written in both cases. */
int pychain_merkle_root(uint8_t root[32], const uint8_t *leaves, size_t count, uint8_t *scratch);

enum { PYCHAIN_MAX_VERSIONS = 16 };

typedef struct {
    uint32_t nonce;
    uint32_t version; /* its index in the versions that were given */
} pychain_hit;

typedef struct {
    uint64_t hashes; /* nonces tried, times the versions; after hit number `room`, those up to it */
    size_t hits;     /* hits written */
} pychain_search_result;

/* Try the nonces start to start + count - 1 (start + count <= 2^32) in `header`, each under every one of the versions
 * (1 to PYCHAIN_MAX_VERSIONS; the version and nonce of `header` itself are ignored). Writes the combinations whose
 * double hash, read as a little-endian integer, is at most `target` (little-endian too), ordered by nonce and then by
 * version. Ends when the range does, or with hit number `room` >= 1, or soon after the byte at `stop` (which may be
 * NULL) becomes non-zero. Several versions cost less a hash than one: they share a part of the work. */
pychain_search_result pychain_search(pychain_hit *hits, size_t room, const uint8_t header[80], const uint32_t *versions,
                                     size_t version_count, const uint8_t target[32], uint64_t start, uint64_t count,
                                     const uint8_t *stop);

/* The CPU's name as it gives it, and the instruction sets the kernels look for that both it and the operating
 * system support, separated by spaces. Both end in a zero byte and are cut to `size`. */
void pychain_cpu_name(char *out, size_t size);
void pychain_cpu_features(char *out, size_t size);

/* The compiler that built this library. */
const char *pychain_compiler(void);

/* cffi: end */

#endif
