/* Hashing, merkle trees and the search on a given kernel. Internal to the core. */
#ifndef PYCHAIN_HASHING_H
#define PYCHAIN_HASHING_H

#include "pychain.h"
#include "sha256.h"

/* The public functions with an explicit kernel: the self-test needs them before one is in use. */
void sha256d_with(const struct sha256_kernel *kernel, uint8_t out[DIGEST], const uint8_t *data, size_t size);
void records_with(const struct sha256_kernel *kernel, uint8_t *out, const uint8_t *data, size_t size, size_t count);
int merkle_with(const struct sha256_kernel *kernel, uint8_t root[DIGEST], const uint8_t *leaves, size_t count,
                uint8_t *scratch);
pychain_search_result search_with(const struct sha256_kernel *kernel, pychain_hit *hits, size_t room,
                                  const uint8_t header[80], const uint32_t *versions, size_t version_count,
                                  const uint8_t target[32], uint64_t start, uint64_t count, const uint8_t *stop);

#endif
