/* Which points lie in the group of prime order L: those that can be halved three times, since the whole group is cyclic of
 * order 8 L. Internal to the core; the includer has chosen a field, as for group.h. Four times faster than [L]P.
 *
 * A point (x, y) of the curve is u = (1 + y) / (1 - y), v = c u / x on v^2 = u (u^2 + A u + 1), with c^2 = -(A + 2) and
 * A = 486662 (RFC 7748), where (0, 0) is the one point of order 2 and (1, l) with l^2 = A + 2 one of order 4.
 *   - It can be halved if u is a square s^2: the 2-descent by (0, 0), whose image has index 2 as the doubles have.
 *   - Its halves have u = t or 1 / t. From the formula of doubling, s = (t^2 - 1) / (2 v'), and r = t + 1 / t solves
 *     r^2 - 4 s^2 r - 4 A s^2 - 4 = 0, so r = 2 s^2 + 2 v / s; then t = s^2 + v / s + s q with q^2 = 2 s^2 + A + 2 v / s.
 *     For s and -s the products of the right sides is D = A^2 - 4, which is no square, so it works for one of the two.
 *   - The half can be halved twice more if (v' - l t)^2 / t is a fourth power: the Tate pairing with the point of order 4,
 *     through which the tangent goes to (0, 0).
 * Three powers in all (Pornin 2022 and Koshelev 2022 treat both ways). Divisions by x are multiplied out, and an inverse
 * is a cube where fourth powers do not count. The identity, where x = 0, is rejected too: it is not a key and not an R.
 */
#ifndef PYCHAIN_ED25519_HALVING_H
#define PYCHAIN_ED25519_HALVING_H

#include "group.h"

enum { MONTGOMERY_A = 486662 };

static const uint64_t HALF[LIMBS] = {0x7fffffffffff7, 0x7ffffffffffff, 0x7ffffffffffff, 0x7ffffffffffff, 0x3ffffffffffff};
static const uint64_t MONTGOMERY_C[LIMBS] = {0x604aaff457e06, 0x2296fa350598d, 0x7f13dfb16874f, 0x35de93d846e01,
                                             0xf26edf460a00};
static const uint64_t MONTGOMERY_2C[LIMBS] = {0x40955fe8afc0c, 0x452df46a0b31b, 0x7e27bf62d0e9e, 0x6bbd27b08dc03,
                                              0x1e4ddbe8c1400};
static const uint64_t MONTGOMERY_2L[LIMBS] = {0x36e20c6ef77b0, 0x635ed5b270597, 0x5ac884e52f71, 0x5503de0588528,
                                              0x283616d00cac7};
/* Roots of D times a root of -1, and of -D times it. */
static const uint64_t ROOT_OF_D_I[LIMBS] = {0x374105eb49c67, 0x4274b2f267fe8, 0x3f166de60e579, 0x2078c19f0b198,
                                            0x680fe74c4f11};
static const uint64_t ROOT_OF_MINUS_D_I[LIMBS] = {0x71277b3ba5222, 0x2970a394eb516, 0xb29a3e775c7b, 0xf75f12ecb490,
                                                  0x219fc5bc27acf};

/* The results for n / d: with e = (n d^7)^((p - 5) / 8), the root n d^3 e if it is a square. */
typedef struct {
    fe root, d4e; /* d^4 e = root of n / d divided by n / d, but for a fourth root of 1 */
    lanes square, plus_i; /* root^2 = n / d; else it is n / d times +-i, plus_i where + */
} root_of_ratio;

FIELD_PROCEDURE void fe_root_of_ratio(root_of_ratio *out, const fe *n, const fe *d, int ways)
{
    fe nd3[WAYS], d2[WAYS], power[WAYS], e[WAYS];

    EACH_WAY {
        d2[w] = fe_carry(fe_square(d[w]));
        const fe d3 = fe_product(d2[w], d[w]);
        nd3[w] = fe_product(n[w], d3);
        power[w] = fe_product(fe_product(nd3[w], d3), d[w]);
    }
    fe_power_p58(e, power, ways);
    EACH_WAY {
        const fe root = fe_product(nd3[w], e[w]);
        const wide drr = fe_mul(fe_carry(fe_square(root)), d[w]);
        const lanes right = fe_is_zero(fe_carry(wide_sub(drr, fe_widen(n[w]))));
        const lanes turned = fe_is_zero(fe_carry(wide_add(drr, fe_widen(n[w]))));

        out[w].root = fe_select(root, fe_product(root, fe_constant(SQRT_OF_MINUS_1)), turned);
        out[w].d4e = fe_product(fe_carry(fe_square(d2[w])), e[w]);
        out[w].square = right | turned;
        out[w].plus_i = fe_is_zero(fe_carry(wide_sub(drr, fe_mul(n[w], fe_constant(SQRT_OF_MINUS_1)))));
    }
}

/* In `prime`, the lanes whose points are in the group of prime order, and are not the identity. */
FIELD_FUNCTION void in_prime_group(lanes *prime, const affine *points, int ways)
{
    fe x[WAYS], n[WAYS], d[WAYS], f[WAYS], e[WAYS];
    root_of_ratio s[WAYS], q[WAYS];

    EACH_WAY {
        const fe diff = fe_product(points[w].diff, fe_constant(HALF)), sum = fe_product(points[w].sum, fe_constant(HALF));
        const fe y = fe_carry(wide_add(fe_widen(sum), fe_widen(diff)));

        x[w] = fe_carry(wide_sub(fe_widen(sum), fe_widen(diff)));
        n[w] = fe_carry(wide_add(fe_widen(y), fe_widen(fe_small(1))));
        d[w] = fe_carry(wide_sub(fe_widen(fe_small(1)), fe_widen(y)));
    }
    fe_root_of_ratio(s, n, d, ways);
    EACH_WAY { /* 2 s^2 + A + 2 v / s, times x */
        const fe ss = fe_carry(fe_square(s[w].root));
        const fe even = fe_carry(wide_add(wide_add(fe_widen(ss), fe_widen(ss)), fe_widen(fe_small(MONTGOMERY_A))));

        n[w] = fe_carry(wide_add(fe_mul(even, x[w]), fe_mul(s[w].root, fe_constant(MONTGOMERY_2C))));
    }
    fe_root_of_ratio(q, n, x, ways);
    EACH_WAY {
        const fe root_of_d = fe_select(fe_constant(ROOT_OF_D_I), fe_constant(ROOT_OF_MINUS_D_I), q[w].plus_i);
        const fe root = fe_select(fe_product(q[w].d4e, root_of_d), q[w].root, q[w].square);
        const fe minus_s = fe_carry(wide_sub(fe_widen(fe_small(0)), fe_widen(s[w].root)));
        const fe s1 = fe_select(minus_s, s[w].root, q[w].square), ss = fe_carry(fe_square(s1));
        const fe v_s = fe_carry(wide_add(fe_widen(fe_constant(MONTGOMERY_C)), fe_mul(x[w], root)));
        const fe t = fe_carry(wide_add(fe_mul(ss, x[w]), fe_mul(s1, v_s))); /* t x */
        const wide line = fe_mul(t, fe_product(s1, fe_constant(MONTGOMERY_2L)));
        const wide x_line = fe_mul(x[w], fe_carry(wide_add(fe_widen(x[w]), line)));
        const fe m = fe_carry(wide_sub(fe_square(t), x_line)); /* (t^2 - 1 - 2 s l t) x^2 */
        const fe x3 = fe_product(fe_carry(fe_square(x[w])), x[w]);
        const fe ss2 = fe_carry(wide_add(fe_widen(ss), fe_widen(ss)));
        const fe g = fe_product(fe_product(fe_carry(wide_add(fe_widen(ss2), fe_widen(ss2))), x3), t);

        f[w] = fe_product(fe_carry(fe_square(m)), fe_product(fe_carry(fe_square(g)), g));
    }
    fe_power_p58(e, f, ways);
    EACH_WAY { /* f^((p - 1) / 4) is 1 */
        const wide power = fe_mul(fe_carry(fe_square(e[w])), f[w]);

        prime[w] = s[w].square & fe_is_zero(fe_carry(wide_sub(power, fe_widen(fe_small(1)))));
    }
}

#endif
