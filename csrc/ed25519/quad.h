/* Two points of the curve in eight lanes, each with its four coordinates in four of them. Internal to the core.
 *
 * A `quad` is a field vector; lanes 0 to 3 hold Y - X, Y + X, Z, T of one point, lanes 4 to 7 those of another. As an
 * addend it holds Y - X, Y + X, 2 Z, 2 d T. Every operation acts on both points.
 */
#ifndef PYCHAIN_ED25519_QUAD_H
#define PYCHAIN_ED25519_QUAD_H

#include "group.h"

typedef fe quad;

/* One point in memory: limb by limb, four coordinates. */
struct quad_addend {
    _Alignas(32) uint64_t limbs[LIMBS][4];
};

/* Lanes w, x, y, z of each four in place of 0, 1, 2, 3. */
#define ORDER(w, x, y, z) ((w) | (x) << 2 | (y) << 4 | (z) << 6)
#define BOTH(lanes_of_four) ((lanes)((lanes_of_four) | (lanes_of_four) << 4))

#define PERMUTED(a, order)                                                                                             \
    {{_mm512_permutex_epi64((a).v[0], order), _mm512_permutex_epi64((a).v[1], order),                                  \
      _mm512_permutex_epi64((a).v[2], order), _mm512_permutex_epi64((a).v[3], order),                                  \
      _mm512_permutex_epi64((a).v[4], order)}}

FIELD_FUNCTION quad quad_identity(void)
{
    const vector zero = _mm512_setzero_si512();

    return (quad){{_mm512_set_epi64(0, 1, 1, 1, 0, 1, 1, 1), zero, zero, zero, zero}};
}

/* a + b, or a - b in the lanes of `minus`; carried. */
FIELD_FUNCTION quad quad_combine(wide a, wide b, lanes minus)
{
    const vector low = SET(((1ULL << LIMB_BITS) - 19) << 12), high = SET(((1ULL << LIMB_BITS) - 1) << 12); /* 2^12 p */
    wide r;

    for (int k = 0; k < LIMBS; k++) {
        const vector lifted = _mm512_mask_add_epi64(a.v[k], minus, a.v[k], k == 0 ? low : high);

        r.v[k] = _mm512_mask_sub_epi64(ADD(lifted, b.v[k]), minus, lifted, b.v[k]);
    }
    return fe_carry(r);
}

/* The end of every formula: of E, H, G, F the point (E F : G H : F G : E H). */
FIELD_FUNCTION quad quad_of(quad ehgf)
{
    const fe left = PERMUTED(ehgf, ORDER(0, 2, 3, 0)), right = PERMUTED(ehgf, ORDER(3, 1, 2, 1));
    const wide xyzt = fe_mul(left, right);
    const wide yx = PERMUTED(xyzt, ORDER(1, 0, 2, 3));
    const wide nothing = fe_widen(fe_small(0));
    wide added;

    for (int k = 0; k < LIMBS; k++) /* X and Y are added to Y and X; Z and T stay */
        added.v[k] = _mm512_mask_mov_epi64(nothing.v[k], BOTH(3), xyzt.v[k]);
    return quad_combine(yx, added, BOTH(1));
}

FIELD_FUNCTION quad quad_add(quad p, quad q)
{
    const wide abdc = fe_mul(p, q), bacd = PERMUTED(abdc, ORDER(1, 0, 3, 2));

    return quad_of(quad_combine(bacd, abdc, BOTH(9))); /* b - a, a + b, c + d, d - c */
}

/* As the portable point_double: E = v^2 - u^2, H = v^2 + u^2, G = 2 u v, F = 4 Z^2 - 2 u v. */
FIELD_FUNCTION quad quad_double(quad p)
{
    const fe left = PERMUTED(p, ORDER(0, 1, 2, 0)), right = PERMUTED(p, ORDER(0, 1, 2, 1));
    const wide m = fe_mul(left, right); /* u^2, v^2, Z^2, u v */
    wide a = PERMUTED(m, ORDER(1, 0, 3, 2)), b = m;

    for (int k = 0; k < LIMBS; k++) {
        a.v[k] = _mm512_mask_add_epi64(a.v[k], BOTH(8), a.v[k], a.v[k]);
        a.v[k] = _mm512_mask_add_epi64(a.v[k], BOTH(12), a.v[k], a.v[k]); /* v^2, u^2, 2 u v, 4 Z^2 */
        b.v[k] = _mm512_mask_add_epi64(b.v[k], BOTH(8), b.v[k], b.v[k]);
        b.v[k] = _mm512_mask_mov_epi64(b.v[k], BOTH(4), _mm512_setzero_si512()); /* u^2, v^2, 0, 2 u v */
    }
    return quad_of(quad_combine(a, b, BOTH(9)));
}

FIELD_FUNCTION quad quad_to_addend(quad p)
{
    fe factor;

    for (int k = 0; k < LIMBS; k++) {
        const long long d = (long long)CURVE_2D[k], one = k == 0;
        factor.v[k] = _mm512_set_epi64(d, 2 * one, one, one, d, 2 * one, one, one);
    }
    return fe_product(p, factor);
}

/* Two addends, the first or the second negated where asked. */
FIELD_FUNCTION quad quad_negate_some(quad p, int first, int second)
{
    const lanes which = (lanes)((first ? 0x0f : 0) | (second ? 0xf0 : 0));
    const quad swapped = PERMUTED(p, ORDER(1, 0, 2, 3));

    return fe_negate_some(fe_select(p, swapped, which), which & BOTH(8));
}

FIELD_FUNCTION quad quad_pair(const struct quad_addend *first, const struct quad_addend *second)
{
    quad r;

    for (int k = 0; k < LIMBS; k++)
        r.v[k] = _mm512_inserti64x4(
            _mm512_castsi256_si512(_mm256_load_si256((const __m256i *)(const void *)first->limbs[k])),
            _mm256_load_si256((const __m256i *)(const void *)second->limbs[k]), 1);
    return r;
}

FIELD_FUNCTION void quad_split(struct quad_addend *first, struct quad_addend *second, quad p)
{
    for (int k = 0; k < LIMBS; k++) {
        _mm256_store_si256((__m256i *)(void *)first->limbs[k], _mm512_castsi512_si256(p.v[k]));
        _mm256_store_si256((__m256i *)(void *)second->limbs[k], _mm512_extracti64x4_epi64(p.v[k], 1));
    }
}

/* Two points with Z = 1, as addends. */
FIELD_FUNCTION quad quad_from_affines(const struct ed25519_affine *first, const struct ed25519_affine *second)
{
    quad r;

    for (int k = 0; k < LIMBS; k++)
        r.v[k] = _mm512_set_epi64((long long)second->t2d[k], k == 0 ? 2 : 0, (long long)second->sum[k],
                                  (long long)second->diff[k], (long long)first->t2d[k], k == 0 ? 2 : 0,
                                  (long long)first->sum[k], (long long)first->diff[k]);
    return r;
}

FIELD_FUNCTION quad quad_swap_halves(quad p)
{
    for (int k = 0; k < LIMBS; k++)
        p.v[k] = _mm512_shuffle_i64x2(p.v[k], p.v[k], ORDER(2, 3, 0, 1));
    return p;
}

/* The first point. */
FIELD_FUNCTION void quad_store(struct ed25519_point *out, quad p)
{
    struct quad_addend first, second;

    quad_split(&first, &second, p);
    for (int k = 0; k < LIMBS; k++) {
        out->diff[k] = first.limbs[k][0];
        out->sum[k] = first.limbs[k][1];
        out->z[k] = first.limbs[k][2];
        out->t[k] = first.limbs[k][3];
    }
}

#endif
