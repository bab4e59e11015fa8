/* The field of integers modulo p = 2^255 - 19: five limbs of 51 bits in 64, products in 128. Internal to the core.
 *
 * Bounds. An `element` has limbs below 2^54; a `product`, which is an element too, limbs below 2^51 + 2^13.
 *   - fe_mul of elements a, b: a column sums five products, of which up to four carry a factor 19 (2^255 = 19 mod p):
 *     column 0, the largest, is below (1 + 4 * 19) * 2^108 < 2^114.3, so its carry is below 2^63.3 and fits a limb.
 *     Column 4 has no factor: below 5 * 2^108 plus a carry, so its carry is below 2^59.4, 19 times it below 2^63.7,
 *     and the second carry out of limb 0 below 2^12.7. Factors 19 * b are below 2^58.3.
 *   - The sum of two products is below 2^52.01; of a sum and a product, below 2^52.6.
 *   - wide_sub(a, b) adds 4p, whose limbs are at least 2^53 - 76: b may be a product or the sum of two. The result is
 *     below a + 2^53: 2^53.4 for a product a, 2^53.6 for a sum of two, 7 * 2^51 + 2^15 < 2^53.9 for a sum of a product
 *     doubled and a difference. All of these are elements.
 * The template group.h keeps to these forms: each product, or sum or difference of two, passes fe_carry, which has
 * nothing to do here and is the point where a field with tighter limbs carries.
 */
#ifndef PYCHAIN_ED25519_FIELD_H
#define PYCHAIN_ED25519_FIELD_H

#include <stdint.h>
#include <string.h>

#include "scalar.h"

#define FIELD_FUNCTION static inline
#define FIELD_PROCEDURE static inline

enum { LIMBS = 5, LIMB_BITS = 51, LANES = 1, ALL_LANES = 1 };

static const uint64_t LIMB_MASK = ((uint64_t)1 << LIMB_BITS) - 1;

typedef struct {
    uint64_t v[LIMBS];
} fe;
typedef fe wide;       /* the result of a multiplication */
typedef uint8_t lanes; /* a bit for each element that an `fe` holds: here one */

__extension__ typedef unsigned __int128 uint128;

/* The low 255 bits of 32 bytes, little-endian; not reduced. */
FIELD_FUNCTION void field_from_bytes(uint64_t limbs[LIMBS], const uint8_t bytes[32])
{
    uint64_t words[4] = {load_le64(bytes), load_le64(bytes + 8), load_le64(bytes + 16), load_le64(bytes + 24)};

    limbs[0] = words[0] & LIMB_MASK;
    limbs[1] = (words[0] >> 51 | words[1] << 13) & LIMB_MASK;
    limbs[2] = (words[1] >> 38 | words[2] << 26) & LIMB_MASK;
    limbs[3] = (words[2] >> 25 | words[3] << 39) & LIMB_MASK;
    limbs[4] = words[3] >> 12 & LIMB_MASK;
}

FIELD_FUNCTION fe fe_constant(const uint64_t limbs[LIMBS])
{
    fe r;

    memcpy(r.v, limbs, sizeof r.v);
    return r;
}

FIELD_FUNCTION fe fe_small(uint64_t x)
{
    return (fe){{x, 0, 0, 0, 0}};
}

FIELD_FUNCTION fe fe_carry(wide x)
{
    return x;
}

FIELD_FUNCTION wide fe_widen(fe x)
{
    return x;
}

FIELD_FUNCTION wide wide_add(wide a, wide b)
{
    return (wide){{a.v[0] + b.v[0], a.v[1] + b.v[1], a.v[2] + b.v[2], a.v[3] + b.v[3], a.v[4] + b.v[4]}};
}

FIELD_FUNCTION wide wide_sub(wide a, wide b)
{
    const uint64_t low = 4 * ((1ULL << LIMB_BITS) - 19), high = 4 * ((1ULL << LIMB_BITS) - 1); /* 4p */

    return (wide){{a.v[0] + low - b.v[0], a.v[1] + high - b.v[1], a.v[2] + high - b.v[2], a.v[3] + high - b.v[3],
                   a.v[4] + high - b.v[4]}};
}

/* Columns of a product to limbs: one pass of carries, and a second step out of limb 0. */
FIELD_FUNCTION wide wide_from_columns(uint128 t0, uint128 t1, uint128 t2, uint128 t3, uint128 t4)
{
    wide r;

    t1 += (uint64_t)(t0 >> LIMB_BITS);
    t2 += (uint64_t)(t1 >> LIMB_BITS);
    t3 += (uint64_t)(t2 >> LIMB_BITS);
    t4 += (uint64_t)(t3 >> LIMB_BITS);
    const uint64_t low = ((uint64_t)t0 & LIMB_MASK) + 19 * (uint64_t)(t4 >> LIMB_BITS);
    r.v[0] = low & LIMB_MASK;
    r.v[1] = ((uint64_t)t1 & LIMB_MASK) + (low >> LIMB_BITS);
    r.v[2] = (uint64_t)t2 & LIMB_MASK;
    r.v[3] = (uint64_t)t3 & LIMB_MASK;
    r.v[4] = (uint64_t)t4 & LIMB_MASK;
    return r;
}

FIELD_FUNCTION wide fe_mul(fe a, fe b)
{
    const uint64_t b1 = 19 * b.v[1], b2 = 19 * b.v[2], b3 = 19 * b.v[3], b4 = 19 * b.v[4];
    const uint128 a0 = a.v[0], a1 = a.v[1], a2 = a.v[2], a3 = a.v[3], a4 = a.v[4];

    return wide_from_columns(a0 * b.v[0] + a1 * b4 + a2 * b3 + a3 * b2 + a4 * b1,
                             a0 * b.v[1] + a1 * b.v[0] + a2 * b4 + a3 * b3 + a4 * b2,
                             a0 * b.v[2] + a1 * b.v[1] + a2 * b.v[0] + a3 * b4 + a4 * b3,
                             a0 * b.v[3] + a1 * b.v[2] + a2 * b.v[1] + a3 * b.v[0] + a4 * b4,
                             a0 * b.v[4] + a1 * b.v[3] + a2 * b.v[2] + a3 * b.v[1] + a4 * b.v[0]);
}

/* fe_mul(a, a); the doubled and the 19-fold limbs stay below 2^59.3, and the columns are the same. */
FIELD_FUNCTION wide fe_square(fe a)
{
    const uint64_t d0 = 2 * a.v[0], d1 = 2 * a.v[1], n3 = 19 * a.v[3], n4 = 19 * a.v[4];
    const uint64_t d2n = 38 * a.v[2], d4n = 2 * n4;
    const uint128 a1 = a.v[1], a2 = a.v[2], a3 = a.v[3], a4 = a.v[4];

    return wide_from_columns((uint128)a.v[0] * a.v[0] + a1 * d4n + a3 * d2n, a1 * d0 + a2 * d4n + a3 * n3,
                             a2 * d0 + a1 * a.v[1] + a3 * d4n, a3 * d0 + a2 * d1 + a4 * n4,
                             a4 * d0 + a3 * d1 + a2 * a.v[2]);
}

/* The one representative in [0, p), limbs of 51 bits. */
FIELD_FUNCTION fe fe_canonical(fe a)
{
    for (int pass = 0; pass < 2; pass++) { /* the first leaves at most 2^255 + 2^9, so the second leaves < 2^255 */
        for (int i = 0; i + 1 < LIMBS; i++) {
            a.v[i + 1] += a.v[i] >> LIMB_BITS;
            a.v[i] &= LIMB_MASK;
        }
        a.v[0] += 19 * (a.v[4] >> LIMB_BITS);
        a.v[4] &= LIMB_MASK;
    }
    uint64_t over = 19; /* a >= p where a + 19 carries out of the top limb; that carry is dropped with it */
    for (int i = 0; i < LIMBS; i++)
        over = (a.v[i] + over) >> LIMB_BITS;
    over *= 19;
    for (int i = 0; i < LIMBS; i++) {
        a.v[i] += over;
        over = a.v[i] >> LIMB_BITS;
        a.v[i] &= LIMB_MASK;
    }
    return a;
}

FIELD_FUNCTION lanes fe_is_zero(fe a)
{
    const fe c = fe_canonical(a);

    return (c.v[0] | c.v[1] | c.v[2] | c.v[3] | c.v[4]) == 0;
}

FIELD_FUNCTION lanes fe_is_odd(fe a)
{
    return fe_canonical(a).v[0] & 1;
}

/* b in the lanes of `which`, else a. */
FIELD_FUNCTION fe fe_select(fe a, fe b, lanes which)
{
    return which ? b : a;
}

#endif
