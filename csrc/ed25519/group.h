/* The curve -x^2 + y^2 = 1 + d x^2 y^2 over the field that the includer has chosen: LANES points side by side. Internal
 * to the core, for public data only: nothing here runs in constant time.
 *
 * Coordinates are extended homogeneous ones (Hisil, Wong, Carter, Dawson 2008), x = X/Z, y = Y/Z, xy = T/Z, of which
 * the sum and the difference of Y and X are kept, since addition uses them. Addition is complete: no pair of
 * points is an exception. All sums and differences are taken of products before they are carried (see the field's
 * bounds).
 */
#ifndef PYCHAIN_ED25519_GROUP_H
#define PYCHAIN_ED25519_GROUP_H

#include "ed25519.h"

static const uint64_t CURVE_D[LIMBS] = {0x34dca135978a3, 0x1a8283b156ebd, 0x5e7a26001c029, 0x739c663a03cbb,
                                        0x52036cee2b6ff};
static const uint64_t CURVE_2D[LIMBS] = {0x69b9426b2f159, 0x35050762add7a, 0x3cf44c0038052, 0x6738cc7407977,
                                         0x2406d9dc56dff};
static const uint64_t SQRT_OF_MINUS_1[LIMBS] = {0x61b274a0ea0b0, 0xd5a5fc8f189d, 0x7ef5e9cbd0c60, 0x78595a6804c9e,
                                                0x2b8324804fc1d};

typedef struct {
    fe diff, sum, z, t; /* Y - X, Y + X, Z, T */
} point;

typedef struct {
    fe diff, sum, t2d; /* y - x, y + x, 2 d x y: a point with Z = 1 to add */
} affine;

typedef struct {
    fe diff, sum, z2, t2d; /* Y - X, Y + X, 2 Z, 2 d T: any point to add */
} addend;

FIELD_FUNCTION fe fe_product(fe a, fe b)
{
    return fe_carry(fe_mul(a, b));
}

FIELD_FUNCTION fe fe_double(fe a)
{
    return fe_carry(wide_add(fe_widen(a), fe_widen(a)));
}

FIELD_FUNCTION point point_identity(void)
{
    return (point){fe_small(1), fe_small(1), fe_small(1), fe_small(0)};
}

/* (E F : G H : F G : E H), how every formula below ends. */
FIELD_FUNCTION point point_of(fe e, fe f, fe g, fe h)
{
    const wide x = fe_mul(e, f), y = fe_mul(g, h);

    return (point){fe_carry(wide_sub(y, x)), fe_carry(wide_add(y, x)), fe_product(f, g), fe_product(e, h)};
}

/* a = (Y1 - X1)(Y2 - X2), b = (Y1 + X1)(Y2 + X2), c = 2 d T1 T2, d = 2 Z1 Z2. */
FIELD_FUNCTION point point_of_sum(wide a, wide b, wide c, wide d)
{
    return point_of(fe_carry(wide_sub(b, a)), fe_carry(wide_sub(d, c)), fe_carry(wide_add(d, c)),
                    fe_carry(wide_add(b, a)));
}

FIELD_FUNCTION point point_add_affine(const point *p, const affine *q)
{
    return point_of_sum(fe_mul(p->diff, q->diff), fe_mul(p->sum, q->sum), fe_mul(p->t, q->t2d),
                        wide_add(fe_widen(p->z), fe_widen(p->z)));
}

FIELD_FUNCTION point point_add(const point *p, const addend *q)
{
    return point_of_sum(fe_mul(p->diff, q->diff), fe_mul(p->sum, q->sum), fe_mul(p->t, q->t2d), fe_mul(p->z, q->z2));
}

FIELD_FUNCTION addend point_to_addend(const point *p)
{
    return (addend){p->diff, p->sum, fe_double(p->z), fe_product(p->t, fe_constant(CURVE_2D))};
}

/* At least one, and at most WAYS, vectors of elements. */
#define EACH_WAY for (int w = 0; w == 0 || w < ways; w++)

/* In each of `ways` vectors, x^(2^count). The ways are independent, so one fills the gaps of the other. */
FIELD_FUNCTION void fe_square_times(fe *x, int ways, int count)
{
    fe first = x[0], second = x[ways - 1]; /* WAYS is 2; variables of their own stay in registers */

    for (int i = 0; i < count; i++) {
        first = fe_carry(fe_square(first));
        if (ways > 1)
            second = fe_carry(fe_square(second));
    }
    x[ways - 1] = second;
    x[0] = first;
}

/* r = r^(2^count) * y */
FIELD_FUNCTION void fe_shift_multiply(fe *r, int ways, int count, const fe *y)
{
    fe_square_times(r, ways, count);
    EACH_WAY
        r[w] = fe_product(r[w], y[w]);
}

enum { WAYS = 2 };

/* r = x^(2^252 - 3), which is (p - 5) / 8: powers x^(2^n - 1) for growing n. */
FIELD_PROCEDURE void fe_power_p58(fe *r, const fe *x, int ways)
{
    fe x2[WAYS], x9[WAYS], x10[WAYS], x50[WAYS], x100[WAYS];

    EACH_WAY {
        x2[w] = fe_carry(fe_square(x[w]));
        r[w] = x2[w];
    }
    fe_shift_multiply(r, ways, 2, x); /* x^9 */
    EACH_WAY {
        x9[w] = r[w];
        r[w] = fe_product(r[w], x2[w]); /* x^11 */
    }
    fe_shift_multiply(r, ways, 1, x9); /* x^31 = x^(2^5 - 1) */
    EACH_WAY
        x9[w] = r[w];
    fe_shift_multiply(r, ways, 5, x9); /* 10 */
    EACH_WAY
        x10[w] = r[w];
    fe_shift_multiply(r, ways, 10, x10); /* 20 */
    EACH_WAY
        x9[w] = r[w];
    fe_shift_multiply(r, ways, 20, x9);  /* 40 */
    fe_shift_multiply(r, ways, 10, x10); /* 50 */
    EACH_WAY
        x50[w] = r[w];
    fe_shift_multiply(r, ways, 50, x50); /* 100 */
    EACH_WAY
        x100[w] = r[w];
    fe_shift_multiply(r, ways, 100, x100); /* 200 */
    fe_shift_multiply(r, ways, 50, x50);   /* 250 */
    fe_shift_multiply(r, ways, 2, x);      /* 252, less 3 */
}

/* The points of `ways` vectors of y and of the sign bits of x; returns in `valid` the lanes that have one.
 *
 * ZIP-215: y is any number below 2^255, taken modulo p, and the sign bit may be set where x = 0. x^2 = u / v with
 * u = y^2 - 1 and v = d y^2 + 1 has the candidate root u v^3 (u v^7)^((p - 5) / 8) (RFC 8032, 5.1.3). */
FIELD_FUNCTION void decompress(affine *out, lanes *valid, const fe *y, const lanes *sign, int ways)
{
    fe u[WAYS], v[WAYS], uv3[WAYS], root[WAYS], power[WAYS];

    EACH_WAY {
        const wide yy = fe_square(y[w]);
        u[w] = fe_carry(wide_sub(yy, fe_widen(fe_small(1))));
        v[w] = fe_carry(wide_add(fe_mul(fe_carry(yy), fe_constant(CURVE_D)), fe_widen(fe_small(1))));
        const fe v3 = fe_product(fe_carry(fe_square(v[w])), v[w]);
        uv3[w] = fe_product(u[w], v3);
        power[w] = fe_product(fe_product(uv3[w], v3), v[w]);
    }
    fe_power_p58(root, power, ways);
    EACH_WAY {
        fe x = fe_product(root[w], uv3[w]);
        const wide vxx = fe_mul(fe_carry(fe_square(x)), v[w]);
        const lanes right = fe_is_zero(fe_carry(wide_sub(vxx, fe_widen(u[w]))));
        const lanes turned = fe_is_zero(fe_carry(wide_add(vxx, fe_widen(u[w]))));

        x = fe_select(x, fe_product(x, fe_constant(SQRT_OF_MINUS_1)), turned);
        const fe minus_x = fe_carry(wide_sub(fe_widen(fe_small(0)), fe_widen(x)));
        x = fe_select(x, minus_x, fe_is_odd(x) ^ sign[w]);
        valid[w] = right | turned;
        out[w] = (affine){fe_carry(wide_sub(fe_widen(y[w]), fe_widen(x))),
                          fe_carry(wide_add(fe_widen(y[w]), fe_widen(x))),
                          fe_product(fe_product(x, y[w]), fe_constant(CURVE_2D))};
    }
}

#endif
