/* The field of integers modulo p = 2^255 - 19 in eight lanes of AVX-512 IFMA: five vectors of limbs of 51 bits. Internal
 * to the core; the includer has AVX-512 F and IFMA.
 *
 * vpmadd52luq and vpmadd52huq add the low and the high 52 bits of the product of the low 52 bits of two words, so a
 * factor's limbs must stay below 2^52. A low part belongs to column i + j; a high part, worth 2^52 = 2 * 2^51, counts
 * twice in column i + j + 1.
 *
 * Bounds. An `element` has limbs below 2^51 + 2^18 < 2^52; a `product` is the five columns before they are carried.
 *   - fe_mul of elements: each part is below 2^52, column k of ten is z_k = (low parts) + 2 * (high parts), and
 *     column k + 5 folds onto column k with the factor 19 (2^255 = 19 mod p). The largest is
 *     z_0 + 19 z_5 = (1 + 19 * (4 + 2 * 5)) * 2^52 = 267 * 2^52 < 2^60.1; columns 1 to 4 have 4 + 19 * 11 = 213,
 *     7 + 19 * 8 = 159, 10 + 19 * 5 = 105 and 13 + 19 * 2 = 51. So products are below 2^60.1.
 *   - wide_sub(a, b) adds 2^12 p, whose limbs are above 2^62.9: b may be a product or the sum of up to four (< 2^62.1).
 *     With a below 2^62.1 as well, the result is below 2^63 + 2^62.1 < 2^64.
 *   - fe_carry takes any columns: each carry is below 2^13, so the limbs come out below 2^51 + 2^13, limb 0 below
 *     2^51 + 19 * 2^13 < 2^51 + 2^18: an element.
 *   - 2p - a, of an element a, has limbs between 2^52 - 38 - 2^51 - 2^18 > 0 and 2^52 - 2: a factor without a carry.
 */
#ifndef PYCHAIN_ED25519_FIELD_IFMA_H
#define PYCHAIN_ED25519_FIELD_IFMA_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define IFMA_TARGET __attribute__((target("avx512f,avx512ifma")))
#define FIELD_FUNCTION IFMA_TARGET static inline __attribute__((always_inline, unused))
#define FIELD_PROCEDURE IFMA_TARGET static __attribute__((noinline, unused)) /* too long to inline */

enum { LIMBS = 5, LIMB_BITS = 51, LANES = 8, ALL_LANES = 0xff };

typedef __m512i vector;
typedef struct {
    vector v[LIMBS];
} fe;
typedef struct {
    vector v[LIMBS];
} wide;                  /* the result of a multiplication: columns */
typedef __mmask8 lanes; /* a bit for each of the eight elements that an `fe` holds */

#define ADD(x, y) _mm512_add_epi64(x, y)
#define SUB(x, y) _mm512_sub_epi64(x, y)
#define SET(x) _mm512_set1_epi64((long long)(x))
#define SHIFT(x) _mm512_srli_epi64(x, LIMB_BITS)
#define LOW(x) _mm512_and_si512(x, SET((1ULL << LIMB_BITS) - 1))

/* 19 x, from shifts: the instruction set's 64-bit multiplication is three operations. */
FIELD_FUNCTION vector times_19(vector x)
{
    return ADD(ADD(x, ADD(x, x)), _mm512_slli_epi64(x, 4));
}

/* The low 255 bits of four words, least significant first; not reduced. */
FIELD_FUNCTION fe fe_from_words(vector w0, vector w1, vector w2, vector w3)
{
    return (fe){{LOW(w0), LOW(_mm512_or_si512(_mm512_srli_epi64(w0, 51), _mm512_slli_epi64(w1, 13))),
                 LOW(_mm512_or_si512(_mm512_srli_epi64(w1, 38), _mm512_slli_epi64(w2, 26))),
                 LOW(_mm512_or_si512(_mm512_srli_epi64(w2, 25), _mm512_slli_epi64(w3, 39))),
                 LOW(_mm512_srli_epi64(w3, 12))}};
}

FIELD_FUNCTION fe fe_constant(const uint64_t limbs[LIMBS])
{
    return (fe){{SET(limbs[0]), SET(limbs[1]), SET(limbs[2]), SET(limbs[3]), SET(limbs[4])}};
}

FIELD_FUNCTION fe fe_small(uint64_t x)
{
    const vector zero = _mm512_setzero_si512();

    return (fe){{SET(x), zero, zero, zero, zero}};
}

/* One step of carries, all limbs at once. */
FIELD_FUNCTION fe fe_carry(wide x)
{
    const vector c0 = SHIFT(x.v[0]), c1 = SHIFT(x.v[1]), c2 = SHIFT(x.v[2]), c3 = SHIFT(x.v[3]), c4 = SHIFT(x.v[4]);

    return (fe){{_mm512_madd52lo_epu64(LOW(x.v[0]), c4, SET(19)), ADD(LOW(x.v[1]), c0), ADD(LOW(x.v[2]), c1),
                 ADD(LOW(x.v[3]), c2), ADD(LOW(x.v[4]), c3)}};
}

FIELD_FUNCTION wide fe_widen(fe x)
{
    return (wide){{x.v[0], x.v[1], x.v[2], x.v[3], x.v[4]}};
}

FIELD_FUNCTION wide wide_add(wide a, wide b)
{
    return (wide){{ADD(a.v[0], b.v[0]), ADD(a.v[1], b.v[1]), ADD(a.v[2], b.v[2]), ADD(a.v[3], b.v[3]),
                   ADD(a.v[4], b.v[4])}};
}

FIELD_FUNCTION wide wide_sub(wide a, wide b)
{
    const vector low = SET(((1ULL << LIMB_BITS) - 19) << 12), high = SET(((1ULL << LIMB_BITS) - 1) << 12); /* 2^12 p */

    return (wide){{SUB(ADD(a.v[0], low), b.v[0]), SUB(ADD(a.v[1], high), b.v[1]), SUB(ADD(a.v[2], high), b.v[2]),
                   SUB(ADD(a.v[3], high), b.v[3]), SUB(ADD(a.v[4], high), b.v[4])}};
}

/* 2p - a in the lanes of `which`, else a. */
FIELD_FUNCTION fe fe_negate_some(fe a, lanes which)
{
    const vector low = SET(((1ULL << LIMB_BITS) - 19) << 1), high = SET(((1ULL << LIMB_BITS) - 1) << 1);

    return (fe){{_mm512_mask_sub_epi64(a.v[0], which, low, a.v[0]), _mm512_mask_sub_epi64(a.v[1], which, high, a.v[1]),
                 _mm512_mask_sub_epi64(a.v[2], which, high, a.v[2]), _mm512_mask_sub_epi64(a.v[3], which, high, a.v[3]),
                 _mm512_mask_sub_epi64(a.v[4], which, high, a.v[4])}};
}

/* Columns 0 to 9 folded to five. */
FIELD_FUNCTION wide wide_from_columns(vector z0, vector z1, vector z2, vector z3, vector z4, vector z5, vector z6,
                                      vector z7, vector z8, vector z9)
{
    return (wide){{ADD(z0, times_19(z5)), ADD(z1, times_19(z6)), ADD(z2, times_19(z7)), ADD(z3, times_19(z8)),
                   ADD(z4, times_19(z9))}};
}

/* The high parts of a column come first, are doubled, and the low parts are added to them. */
#define HIGH(x, i, j) x = _mm512_madd52hi_epu64(x, a.v[i], b.v[j])
#define LOWER(x, i, j) x = _mm512_madd52lo_epu64(x, a.v[i], b.v[j])
#define TWICE(x) x = ADD(x, x)

FIELD_FUNCTION wide fe_mul(fe a, fe b)
{
    vector z0, z1, z2, z3, z4, z5, z6, z7, z8, z9;

    z0 = z1 = z2 = z3 = z4 = z5 = z6 = z7 = z8 = z9 = _mm512_setzero_si512();
    HIGH(z1, 0, 0); HIGH(z2, 0, 1); HIGH(z3, 0, 2); HIGH(z4, 0, 3); HIGH(z5, 0, 4); HIGH(z6, 1, 4); HIGH(z7, 2, 4);
    HIGH(z8, 3, 4); HIGH(z9, 4, 4); HIGH(z2, 1, 0); HIGH(z3, 1, 1); HIGH(z4, 1, 2); HIGH(z5, 1, 3); HIGH(z6, 2, 3);
    HIGH(z7, 3, 3); HIGH(z8, 4, 3); HIGH(z3, 2, 0); HIGH(z4, 2, 1); HIGH(z5, 2, 2); HIGH(z6, 3, 2); HIGH(z7, 4, 2);
    HIGH(z4, 3, 0); HIGH(z5, 3, 1); HIGH(z6, 4, 1); HIGH(z5, 4, 0);
    TWICE(z1); TWICE(z2); TWICE(z3); TWICE(z4); TWICE(z5); TWICE(z6); TWICE(z7); TWICE(z8); TWICE(z9);
    LOWER(z0, 0, 0); LOWER(z1, 0, 1); LOWER(z2, 0, 2); LOWER(z3, 0, 3); LOWER(z4, 0, 4); LOWER(z5, 1, 4);
    LOWER(z6, 2, 4); LOWER(z7, 3, 4); LOWER(z8, 4, 4); LOWER(z1, 1, 0); LOWER(z2, 1, 1); LOWER(z3, 1, 2);
    LOWER(z4, 1, 3); LOWER(z5, 2, 3); LOWER(z6, 3, 3); LOWER(z7, 4, 3); LOWER(z2, 2, 0); LOWER(z3, 2, 1);
    LOWER(z4, 2, 2); LOWER(z5, 3, 2); LOWER(z6, 4, 2); LOWER(z3, 3, 0); LOWER(z4, 3, 1); LOWER(z5, 4, 1);
    LOWER(z4, 4, 0);
    return wide_from_columns(z0, z1, z2, z3, z4, z5, z6, z7, z8, z9);
}

/* fe_mul(a, a), the products of two different limbs computed once and doubled. */
FIELD_FUNCTION wide fe_square(fe a)
{
    const fe b = a;
    vector z0, z1, z2, z3, z4, z5, z6, z7, z8, z9;

    z0 = z1 = z2 = z3 = z4 = z5 = z6 = z7 = z8 = z9 = _mm512_setzero_si512();
    HIGH(z2, 0, 1); HIGH(z3, 0, 2); HIGH(z4, 0, 3); HIGH(z5, 0, 4); HIGH(z6, 1, 4); HIGH(z7, 2, 4); HIGH(z8, 3, 4);
    HIGH(z4, 1, 2); HIGH(z5, 1, 3); HIGH(z6, 2, 3);
    TWICE(z2); TWICE(z3); TWICE(z4); TWICE(z5); TWICE(z6); TWICE(z7); TWICE(z8);
    HIGH(z1, 0, 0); HIGH(z3, 1, 1); HIGH(z5, 2, 2); HIGH(z7, 3, 3); HIGH(z9, 4, 4);
    LOWER(z1, 0, 1); LOWER(z2, 0, 2); LOWER(z3, 0, 3); LOWER(z4, 0, 4); LOWER(z5, 1, 4); LOWER(z6, 2, 4);
    LOWER(z7, 3, 4); LOWER(z3, 1, 2); LOWER(z4, 1, 3); LOWER(z5, 2, 3);
    TWICE(z1); TWICE(z2); TWICE(z3); TWICE(z4); TWICE(z5); TWICE(z6); TWICE(z7); TWICE(z8); TWICE(z9);
    LOWER(z0, 0, 0); LOWER(z2, 1, 1); LOWER(z4, 2, 2); LOWER(z6, 3, 3); LOWER(z8, 4, 4);
    return wide_from_columns(z0, z1, z2, z3, z4, z5, z6, z7, z8, z9);
}

#undef HIGH
#undef LOWER
#undef TWICE

/* A limb's overflow added to the next, from limb 0 to limb 4; `fold` times the overflow of limb 4 to limb 0. */
FIELD_FUNCTION fe fe_ripple(fe a, uint64_t fold)
{
    a.v[1] = ADD(a.v[1], SHIFT(a.v[0]));
    a.v[2] = ADD(a.v[2], SHIFT(a.v[1]));
    a.v[3] = ADD(a.v[3], SHIFT(a.v[2]));
    a.v[4] = ADD(a.v[4], SHIFT(a.v[3]));
    const vector over = SHIFT(a.v[4]);
    for (int i = 0; i < LIMBS; i++)
        a.v[i] = LOW(a.v[i]);
    a.v[0] = _mm512_madd52lo_epu64(a.v[0], over, SET(fold));
    return a;
}

/* The one representative in [0, p), limbs of 51 bits. */
FIELD_FUNCTION fe fe_canonical(fe a)
{
    a = fe_ripple(fe_ripple(a, 19), 19); /* the first leaves at most 2^255 + 19, so the second leaves < 2^255 */
    /* a >= p where a + 19 carries out of the top limb; that carry is dropped with it. */
    vector over = ADD(a.v[0], SET(19));
    for (int i = 1; i < LIMBS; i++)
        over = ADD(a.v[i], SHIFT(over));
    a.v[0] = _mm512_madd52lo_epu64(a.v[0], SHIFT(over), SET(19));
    return fe_ripple(a, 0);
}

FIELD_FUNCTION lanes fe_is_zero(fe a)
{
    const fe c = fe_canonical(a);
    const vector any = _mm512_or_si512(_mm512_or_si512(c.v[0], c.v[1]),
                                       _mm512_or_si512(_mm512_or_si512(c.v[2], c.v[3]), c.v[4]));

    return _mm512_testn_epi64_mask(any, any);
}

FIELD_FUNCTION lanes fe_is_odd(fe a)
{
    return _mm512_test_epi64_mask(fe_canonical(a).v[0], SET(1));
}

/* b in the lanes of `which`, else a. */
FIELD_FUNCTION fe fe_select(fe a, fe b, lanes which)
{
    return (fe){{_mm512_mask_mov_epi64(a.v[0], which, b.v[0]), _mm512_mask_mov_epi64(a.v[1], which, b.v[1]),
                 _mm512_mask_mov_epi64(a.v[2], which, b.v[2]), _mm512_mask_mov_epi64(a.v[3], which, b.v[3]),
                 _mm512_mask_mov_epi64(a.v[4], which, b.v[4])}};
}

#endif
