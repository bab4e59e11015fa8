/* The portable kernel: one field element at a time, 64-bit words and 128-bit products; and the operations on single
 * points that every kernel needs. */
#include "scalar.h"

#ifdef __SIZEOF_INT128__

#include "field.h"
#include "group.h"
#include "halving.h"
#include "windows.h"

struct ed25519_affine ED25519_BASE[2][BASE_MULTIPLES];

static point load_point(const struct ed25519_point *p)
{
    return (point){fe_constant(p->diff), fe_constant(p->sum), fe_constant(p->z), fe_constant(p->t)};
}

static void store_point(struct ed25519_point *out, const point *p)
{
    memcpy(out->diff, p->diff.v, sizeof out->diff);
    memcpy(out->sum, p->sum.v, sizeof out->sum);
    memcpy(out->z, p->z.v, sizeof out->z);
    memcpy(out->t, p->t.v, sizeof out->t);
}

static affine load_affine(const struct ed25519_affine *p)
{
    return (affine){fe_constant(p->diff), fe_constant(p->sum), fe_constant(p->t2d)};
}

static void store_affine(struct ed25519_affine *out, const affine *p)
{
    memcpy(out->diff, p->diff.v, sizeof out->diff);
    memcpy(out->sum, p->sum.v, sizeof out->sum);
    memcpy(out->t2d, p->t2d.v, sizeof out->t2d);
}

static fe negative(fe a)
{
    return fe_carry(wide_sub(fe_small(0), a));
}

/* The point p of an addend as it comes, or -p. */
static affine affine_signed(const affine *p, int negate)
{
    return negate ? (affine){p->sum, p->diff, negative(p->t2d)} : *p;
}

static addend addend_signed(const addend *p, int negate)
{
    return negate ? (addend){p->sum, p->diff, p->z2, negative(p->t2d)} : *p;
}

/* p + p. With u = Y - X and v = Y + X: v^2 - u^2 = 4 X Y, u^2 + v^2 = 2 (X^2 + Y^2) and u v = Y^2 - X^2 give the terms of
 * Hisil et al.'s dedicated doubling, all of them doubled and two of them with the other sign, which cancels out. */
static point point_double(const point *p)
{
    const wide uu = fe_square(p->diff), vv = fe_square(p->sum), uv = fe_mul(p->diff, p->sum);
    const wide zz = fe_square(fe_double(p->z)), g = wide_add(uv, uv);

    return point_of(fe_carry(wide_sub(vv, uu)), fe_carry(wide_sub(zz, g)), fe_carry(g), fe_carry(wide_add(uu, vv)));
}

void ed25519_subtract(struct ed25519_point *out, const struct ed25519_point *a, const struct ed25519_point *b)
{
    const point p = load_point(a), q = load_point(b);
    addend minus = point_to_addend(&q);

    minus = addend_signed(&minus, 1);
    const point r = point_add(&p, &minus);
    store_point(out, &r);
}

void ed25519_from_affine(struct ed25519_point *out, const struct ed25519_affine *p)
{
    const point identity = point_identity();
    const affine q = load_affine(p);
    const point r = point_add_affine(&identity, &q);

    store_point(out, &r);
}

int ed25519_is_small(const struct ed25519_point *p)
{
    point r = load_point(p);

    for (int i = 0; i < 3; i++)
        r = point_double(&r);
    /* [8]p is in the group of prime order, where no point but the identity has X = 0. */
    return fe_is_zero(fe_carry(wide_sub(r.sum, r.diff)));
}

static void decompress_all(struct ed25519_affine *points, uint8_t *valid, const uint8_t *const *encodings, size_t count)
{
    for (size_t i = 0; i < count; i += WAYS) {
        const int ways = count - i < WAYS ? (int)(count - i) : WAYS;
        fe y[WAYS];
        lanes sign[WAYS];
        affine found[WAYS];

        for (int w = 0; w < ways; w++) {
            field_from_bytes(y[w].v, encodings[i + w]);
            sign[w] = encodings[i + w][ENCODING - 1] >> 7;
        }
        decompress(found, valid + i, y, sign, ways);
        for (int w = 0; w < ways; w++)
            store_affine(&points[i + w], &found[w]);
    }
}

static void in_prime_group_all(uint8_t *prime, const struct ed25519_affine *points, size_t count)
{
    for (size_t i = 0; i < count; i += WAYS) {
        const int ways = count - i < WAYS ? (int)(count - i) : WAYS;
        affine loaded[WAYS];

        EACH_WAY
            loaded[w] = load_affine(&points[i + w]);
        in_prime_group(prime + i, loaded, ways);
    }
}

/* --- Straus's method with sparse digits (1964; the non-adjacent form of width w) */

enum {
    DIGITS = 256 + 1,
    WIDTH = 5,                /* digits are odd, of absolute value below 2^(WIDTH - 1) */
    TABLE = 1 << (WIDTH - 2), /* odd multiples kept of each point */
    BASE_WIDTH = 8,           /* of the base points, whose multiples are precomputed */
};

/* The digits of x, of `words` words: x = sum of digits[i] * 2^i, of any `width` neighbours at most one not 0. Returns
 * how many digits there are. */
static int sparse_digits(int8_t digits[DIGITS], const uint64_t *x, int words, int width)
{
    const int bits = 64 * words;
    int length = 0, carry = 0;

    memset(digits, 0, DIGITS);
    for (int at = 0; at < bits + 1;) {
        const int bit = at < bits ? (int)(x[at / 64] >> at % 64 & 1) : 0;

        if (bit == carry) { /* the digit is even, hence 0 */
            at++;
            continue;
        }
        uint64_t window = at < bits ? x[at / 64] >> at % 64 : 0;
        if (at % 64 != 0 && at / 64 + 1 < words)
            window |= x[at / 64 + 1] << (64 - at % 64);
        int digit = (int)(window & ((1u << width) - 1)) + carry;
        carry = digit >> (width - 1) & 1;
        digit -= carry << width;
        digits[at] = (int8_t)digit;
        length = at + 1;
        at += width;
    }
    return length;
}

/* Odd multiples p, 3p, 5p, ... */
static void odd_multiples(addend table[TABLE], const affine *p)
{
    const point identity = point_identity(), one = point_add_affine(&identity, p), two = point_double(&one);
    const addend step = point_to_addend(&two);
    point multiple = one;

    table[0] = point_to_addend(&one);
    for (int i = 1; i < TABLE; i++) {
        multiple = point_add(&multiple, &step);
        table[i] = point_to_addend(&multiple);
    }
}

static point add_digit(const point *sum, const addend table[TABLE], int digit)
{
    const addend q = addend_signed(&table[(digit < 0 ? -digit : digit) / 2], digit < 0);

    return point_add(sum, &q);
}

struct straus_row {
    int8_t digits[DIGITS];
    addend table[TABLE];
};

static void straus(struct ed25519_point *out, const struct ed25519_affine *points, const struct ed25519_term *terms,
                   size_t longs, size_t shorts, struct straus_row *rows)
{
    int length = 0;

    for (size_t i = 0; i < longs + shorts; i++) {
        const affine p = load_affine(&points[terms[i].point]);
        const int own = sparse_digits(rows[i].digits, terms[i].scalar, i < longs ? SCALAR_WORDS : 2, WIDTH);

        odd_multiples(rows[i].table, &p);
        length = own > length ? own : length;
    }
    point sum = point_identity();
    while (length-- > 0) {
        sum = point_double(&sum);
        for (size_t i = 0; i < longs + shorts; i++)
            if (rows[i].digits[length] != 0)
                sum = add_digit(&sum, rows[i].table, rows[i].digits[length]);
    }
    store_point(out, &sum);
}

/* Straus's method for one signature, with half-length scalars and the base point's own table. */
static void single(struct ed25519_point *out, const struct ed25519_single *equation)
{
    struct straus_row rows[2];
    int8_t base[2][DIGITS];
    const affine a = load_affine(equation->a), r = load_affine(equation->r);
    const affine signed_a = affine_signed(&a, !equation->add_a), minus_r = affine_signed(&r, 1);
    int length = 0;

    odd_multiples(rows[0].table, &signed_a);
    odd_multiples(rows[1].table, &minus_r);
    const int lengths[] = {
        sparse_digits(rows[0].digits, equation->u, 2, WIDTH), sparse_digits(rows[1].digits, equation->v, 2, WIDTH),
        sparse_digits(base[0], equation->vs, 2, BASE_WIDTH), sparse_digits(base[1], equation->vs + 2, 2, BASE_WIDTH)};
    for (int i = 0; i < 4; i++)
        length = lengths[i] > length ? lengths[i] : length;

    point sum = point_identity();
    while (length-- > 0) {
        sum = point_double(&sum);
        for (int i = 0; i < 2; i++) {
            const int digit = base[i][length];

            if (rows[i].digits[length] != 0)
                sum = add_digit(&sum, rows[i].table, rows[i].digits[length]);
            if (digit != 0) {
                const affine multiple = load_affine(&ED25519_BASE[i][(digit < 0 ? -digit : digit) - 1]);
                const affine q = affine_signed(&multiple, digit < 0);
                sum = point_add_affine(&sum, &q);
            }
        }
    }
    store_point(out, &sum);
}

/* --- Pippenger's method (1976), in the form of Bernstein, Doumen, Lange and Oosterwijk 2012 */

struct pippenger_work {
    point buckets[MOST_BUCKETS];
    uint64_t scalars[][SCALAR_WORDS];
};

/* The sum over b of (b + 1) times bucket b. */
static point sum_buckets(const point *buckets, int count)
{
    point running = point_identity(), total = point_identity();

    while (count-- > 0) {
        const addend bucket = point_to_addend(&buckets[count]);
        running = point_add(&running, &bucket);
        const addend so_far = point_to_addend(&running);
        total = point_add(&total, &so_far);
    }
    return total;
}

static void pippenger(struct ed25519_point *out, const struct ed25519_affine *points, const struct ed25519_term *terms,
                      size_t longs, size_t shorts, struct pippenger_work *work)
{
    const struct digit_plan plan = plan_digits(plan_best_bits(longs, shorts));
    const int buckets = 1 << (plan.bits - 1);
    point sum = point_identity();

    for (size_t i = 0; i < longs + shorts; i++)
        offset_scalar(work->scalars[i], terms[i].scalar, i < longs ? plan.long_offset : plan.short_offset);
    for (int window = plan.long_windows; window-- > 0;) {
        const size_t count = window < plan.short_windows ? longs + shorts : longs;

        for (int i = 0; i < plan.bits; i++)
            sum = point_double(&sum);
        for (int b = 0; b < buckets; b++)
            work->buckets[b] = point_identity();
        for (size_t i = 0; i < count; i++) {
            const int windows = i < longs ? plan.long_windows : plan.short_windows;
            const int digit = window_digit(work->scalars[i], window, windows, plan.bits);

            if (digit != 0) {
                const affine p = load_affine(&points[terms[i].point]), q = affine_signed(&p, digit < 0);
                point *const bucket = &work->buckets[(digit < 0 ? -digit : digit) - 1];

                *bucket = point_add_affine(bucket, &q);
            }
        }
        const point total = sum_buckets(work->buckets, buckets);
        const addend of_window = point_to_addend(&total);
        sum = point_add(&sum, &of_window);
    }
    store_point(out, &sum);
}

/* Whether Straus's method costs fewer additions: table and sparse digits of each term, against windows and buckets. */
static int straus_is_better(size_t longs, size_t shorts)
{
    const size_t cost = longs * (TABLE + LONG_BITS / (WIDTH + 1)) + shorts * (TABLE + SHORT_BITS / (WIDTH + 1));

    /* Eight multiplications against seven, and tables that do not stay in the nearest cache. */
    return cost * 4 / 3 < plan_cost(longs, shorts, plan_best_bits(longs, shorts));
}

static size_t work_size(size_t longs, size_t shorts)
{
    const size_t count = longs + shorts, rows = count * sizeof(struct straus_row);
    const size_t buckets = sizeof(struct pippenger_work) + count * sizeof(uint64_t[SCALAR_WORDS]);

    return rows > buckets ? rows : buckets;
}

static void sum(struct ed25519_point *out, const struct ed25519_affine *points, const struct ed25519_term *terms,
                size_t longs, size_t shorts, void *work)
{
    if (straus_is_better(longs, shorts))
        straus(out, points, terms, longs, shorts, work);
    else
        pippenger(out, points, terms, longs, shorts, work);
}

/* --- the base point */

/* 1 / a = a^(p - 2), and p - 2 = 8 (p - 5) / 8 + 3. */
static fe inverse(fe a)
{
    fe power;

    fe_power_p58(&power, &a, 1);
    fe_square_times(&power, 1, 3);
    return fe_product(power, fe_product(fe_carry(fe_square(a)), a));
}

/* p with Z = 1. Y - X and Y + X divided by 2 Z are the difference and the sum, and 2 x y = (sum^2 - diff^2) / 2. */
static affine normalised(const point *p)
{
    const fe reciprocal = inverse(p->z);
    const fe t = fe_product(p->t, reciprocal); /* T / Z = x y */

    return (affine){fe_product(p->diff, reciprocal), fe_product(p->sum, reciprocal),
                    fe_product(t, fe_constant(CURVE_2D))};
}

void ed25519_fill_base(void)
{
    uint8_t encoding[ENCODING], valid;
    const uint8_t *const encodings[] = {encoding};
    point step = point_identity();

    memset(encoding, 0x66, sizeof encoding); /* y = 4 / 5, x even (RFC 8032, 5.1) */
    encoding[0] = 0x58;
    decompress_all(&ED25519_BASE[0][0], &valid, encodings, 1);
    const affine base = load_affine(&ED25519_BASE[0][0]);
    step = point_add_affine(&step, &base);
    for (int half = 0; half < 2; half++) {
        const addend one = point_to_addend(&step);
        point multiple = point_identity();

        for (int i = 0; i < BASE_MULTIPLES; i++) {
            multiple = point_add(&multiple, &one);
            const affine entry = normalised(&multiple);
            store_affine(&ED25519_BASE[half][i], &entry);
        }
        for (int i = 0; i < 128; i++)
            step = point_double(&step);
    }
}

const struct ed25519_kernel ED25519_PORTABLE = {
    .name = "ed25519:portable",
    .needs = 0,
    .worthwhile = 4,
    .decompress = decompress_all,
    .in_prime_group = in_prime_group_all,
    .hash = sha512_hash,
    .work_size = work_size,
    .sum = sum,
    .single = single,
};

#else
typedef int not_empty; /* ISO C wants at least one declaration */
#endif
