/* Ed25519 verification by ZIP-215: the interfaces of its parts. Internal to the core.
 *
 * There are no secrets here, so branches and addresses may depend on any value.
 */
#ifndef PYCHAIN_ED25519_H
#define PYCHAIN_ED25519_H

#include <stddef.h>
#include <stdint.h>

#include "scalar.h"
#include "sha512.h"

enum {
    ENCODING = 32, /* bytes of a point or a scalar */
    POINT_LIMBS = 5,
};

/* A point with Z = 1, ready to be added: y - x, y + x, 2 d x y in limbs of 51 bits, each below 2^52. */
struct ed25519_affine {
    _Alignas(64) uint64_t diff[POINT_LIMBS];
    uint64_t sum[POINT_LIMBS], t2d[POINT_LIMBS];
    uint64_t unused; /* two cache lines */
};

/* Any point: Y - X, Y + X, Z, T, limbs below 2^54. */
struct ed25519_point {
    uint64_t diff[POINT_LIMBS], sum[POINT_LIMBS], z[POINT_LIMBS], t[POINT_LIMBS];
};

/* One point of a sum and its multiplier. */
struct ed25519_term {
    uint32_t point; /* index of an ed25519_affine */
    uint32_t unused;
    uint64_t scalar[SCALAR_WORDS];
};

/* [v s]B - [v]R - [u]A (or + [u]A), which is [v] times the difference in the cofactored equation. */
struct ed25519_single {
    const struct ed25519_affine *a, *r;
    uint64_t u[2], v[2];           /* below 2^127 */
    int add_a;                     /* the sign of the term of A */
    uint64_t vs[SCALAR_WORDS];     /* v s modulo L */
};

/* One way to compute on one family of CPUs. */
struct ed25519_kernel {
    const char *name;
    unsigned needs; /* set of enum cpu_feature */

    /* The number of signatures from which a batch costs less than one at a time. */
    size_t worthwhile;
    /* Decompress `count` encodings; valid[i] is 1 or 0, and points[i] is undefined if it is 0. */
    void (*decompress)(struct ed25519_affine *points, uint8_t *valid, const uint8_t *const *encodings, size_t count);
    /* Whether each of `count` decompressed points is in the group of prime order, and not the identity: 1 or 0. */
    void (*in_prime_group)(uint8_t *prime, const struct ed25519_affine *points, size_t count);
    /* SHA-512 of `count` inputs. */
    void (*hash)(uint8_t (*out)[SHA512_DIGEST], const struct sha512_input *inputs, size_t count);
    /* Bytes of work memory, aligned to 64, that `sum` needs for at most that many terms. */
    size_t (*work_size)(size_t longs, size_t shorts);
    /* The sum of [scalar]point over `longs` terms of scalars below 2^253, followed by `shorts` below 2^128. */
    void (*sum)(struct ed25519_point *out, const struct ed25519_affine *points, const struct ed25519_term *terms,
                size_t longs, size_t shorts, void *work);
    void (*single)(struct ed25519_point *out, const struct ed25519_single *equation);
};

extern const struct ed25519_kernel ED25519_PORTABLE, ED25519_IFMA;

/* Multiples 1 to BASE_MULTIPLES of the base point, and of 2^128 times it; filled by ed25519_fill_base. */
enum { BASE_MULTIPLES = 128 };
extern struct ed25519_affine ED25519_BASE[2][BASE_MULTIPLES];
void ed25519_fill_base(void);

void ed25519_from_affine(struct ed25519_point *out, const struct ed25519_affine *p);

/* out = a - b. */
void ed25519_subtract(struct ed25519_point *out, const struct ed25519_point *a, const struct ed25519_point *b);

/* Whether [8]p is the identity: p is one of the eight points of small order. */
int ed25519_is_small(const struct ed25519_point *p);

#endif
