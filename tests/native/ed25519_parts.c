/* The parts of Ed25519 behind functions that a test can call: the field of the portable kernel, or with -DIFMA that in
 * eight lanes; scalars, hashes, digits, and the sums of a kernel. Elements are five limbs, one element after another;
 * `count` is a multiple of LANES. */
#include <stdlib.h>
#include <string.h>

#ifdef IFMA
#include "ed25519/field_ifma.h"
#define TARGET IFMA_TARGET
#define KERNEL ED25519_IFMA
#else
#include "ed25519/field.h"
#define TARGET
#define KERNEL ED25519_PORTABLE
#endif

#include "ed25519/group.h"
#include "ed25519/windows.h"

typedef uint64_t element[LIMBS];

TARGET static fe load(const element *in)
{
    fe r;
#ifdef IFMA
    for (int k = 0; k < LIMBS; k++)
        r.v[k] = _mm512_set_epi64((long long)in[7][k], (long long)in[6][k], (long long)in[5][k], (long long)in[4][k],
                                  (long long)in[3][k], (long long)in[2][k], (long long)in[1][k], (long long)in[0][k]);
#else
    memcpy(r.v, in, sizeof r.v);
#endif
    return r;
}

TARGET static wide load_wide(const element *in)
{
    return fe_widen(load(in));
}

TARGET static void store(element *out, fe x)
{
#ifdef IFMA
    for (int k = 0; k < LIMBS; k++) {
        uint64_t words[LANES];
        _mm512_storeu_si512(words, x.v[k]);
        for (int i = 0; i < LANES; i++)
            out[i][k] = words[i];
    }
#else
    memcpy(out, x.v, sizeof x.v);
#endif
}

TARGET static void store_wide(element *out, wide x)
{
    fe r;

    for (int k = 0; k < LIMBS; k++)
        r.v[k] = x.v[k];
    store(out, r);
}

const int PART_LANES = LANES;

#define FOR_EACH for (size_t i = 0; i < count; i += LANES)

TARGET void part_mul(element *out, const element *a, const element *b, size_t count)
{
    FOR_EACH store_wide(out + i, fe_mul(load(a + i), load(b + i)));
}

TARGET void part_square(element *out, const element *a, const element *b, size_t count)
{
    (void)b;
    FOR_EACH store_wide(out + i, fe_square(load(a + i)));
}

TARGET void part_carry(element *out, const element *a, const element *b, size_t count)
{
    (void)b;
    FOR_EACH store(out + i, fe_carry(load_wide(a + i)));
}

TARGET void part_add(element *out, const element *a, const element *b, size_t count)
{
    FOR_EACH store_wide(out + i, wide_add(load_wide(a + i), load_wide(b + i)));
}

TARGET void part_sub(element *out, const element *a, const element *b, size_t count)
{
    FOR_EACH store_wide(out + i, wide_sub(load_wide(a + i), load_wide(b + i)));
}

TARGET void part_canonical(element *out, const element *a, const element *b, size_t count)
{
    (void)b;
    FOR_EACH store(out + i, fe_canonical(load(a + i)));
}

/* Limb 0: whether it is zero; limb 1: whether it is odd. */
TARGET void part_predicates(element *out, const element *a, const element *b, size_t count)
{
    (void)b;
    FOR_EACH {
        const lanes zero = fe_is_zero(load(a + i)), odd = fe_is_odd(load(a + i));

        for (int lane = 0; lane < LANES; lane++) {
            memset(out[i + (size_t)lane], 0, sizeof *out);
            out[i + (size_t)lane][0] = zero >> lane & 1;
            out[i + (size_t)lane][1] = odd >> lane & 1;
        }
    }
}

/* a or b, lane by lane in turn. */
TARGET void part_select(element *out, const element *a, const element *b, size_t count)
{
    FOR_EACH store(out + i, fe_select(load(a + i), load(b + i), (lanes)(LANES == 1 ? i & 1 : 0xaa)));
}

TARGET void part_power(element *out, const element *a, const element *b, size_t count)
{
    (void)b;
    FOR_EACH {
        const fe x[WAYS] = {load(a + i), load(a + i)};
        fe r[WAYS];

        fe_power_p58(r, x, WAYS);
        store(out + i, r[i / LANES % WAYS]);
    }
}

#ifdef IFMA
TARGET void part_negate(element *out, const element *a, const element *b, size_t count)
{
    (void)b;
    FOR_EACH store(out + i, fe_negate_some(load(a + i), ALL_LANES));
}
#endif

/* --- points: four coordinates Y - X, Y + X, Z, T of five limbs */

void part_fill_base(void)
{
    ed25519_fill_base();
}

/* The sum of [scalar]point, each scalar four words; the points are encodings. Returns 0 if one of these is none. */
int part_sum(struct ed25519_point *out, const uint8_t *encodings, const uint64_t (*scalars)[SCALAR_WORDS], size_t longs,
             size_t shorts)
{
    const size_t count = longs + shorts;
    struct ed25519_affine *const points = aligned_alloc(64, (count + 1) * sizeof *points);
    struct ed25519_term *const terms = calloc(count + 1, sizeof *terms);
    const uint8_t **const each = calloc(count + 1, sizeof *each);
    uint8_t *const valid = calloc(count + 1, 1);
    void *const work = aligned_alloc(64, (KERNEL.work_size(longs, shorts) + 63) / 64 * 64);
    int all = 1;

    for (size_t i = 0; i < count; i++) {
        each[i] = encodings + i * ENCODING;
        memset(&terms[i], 0, sizeof terms[i]);
        terms[i].point = (uint32_t)i;
        memcpy(terms[i].scalar, scalars[i], sizeof scalars[i]);
    }
    KERNEL.decompress(points, valid, each, count);
    for (size_t i = 0; i < count; i++)
        all &= valid[i];
    KERNEL.sum(out, points, terms, longs, shorts, work);
    free(points);
    free(terms);
    free(each);
    free(valid);
    free(work);
    return all;
}

int part_single(struct ed25519_point *out, const uint8_t *encodings, const uint64_t u[2], int add_a,
                const uint64_t v[2], const uint64_t vs[SCALAR_WORDS])
{
    const uint8_t *const each[2] = {encodings, encodings + ENCODING};
    struct ed25519_affine points[2];
    uint8_t valid[2];
    struct ed25519_single equation = {.a = &points[0], .r = &points[1], .add_a = add_a};

    KERNEL.decompress(points, valid, each, 2);
    memcpy(equation.u, u, sizeof equation.u);
    memcpy(equation.v, v, sizeof equation.v);
    memcpy(equation.vs, vs, sizeof equation.vs);
    KERNEL.single(out, &equation);
    return valid[0] & valid[1];
}

/* valid[i] and y - x, y + x, 2 d x y of encoding i. */
void part_decompress(uint8_t *valid, uint64_t *out, const uint8_t *encodings, size_t count)
{
    struct ed25519_affine *const points = aligned_alloc(64, count * sizeof *points);
    const uint8_t **const each = calloc(count, sizeof *each);

    for (size_t i = 0; i < count; i++)
        each[i] = encodings + i * ENCODING;
    KERNEL.decompress(points, valid, each, count);
    for (size_t i = 0; i < count; i++)
        memcpy(out + i * 3 * LIMBS, points[i].diff, 3 * sizeof points[i].diff);
    free(points);
    free(each);
}

/* prime[i] of the point with limbs y - x, y + x, 2 d x y. */
void part_in_prime_group(uint8_t *prime, const uint64_t *limbs, size_t count)
{
    struct ed25519_affine *const points = aligned_alloc(64, count * sizeof *points);

    for (size_t i = 0; i < count; i++)
        memcpy(points[i].diff, limbs + i * 3 * LIMBS, 3 * sizeof points[i].diff);
    KERNEL.in_prime_group(prime, points, count);
    free(points);
}

/* --- hashes: inputs of four pieces, cut from `data` where `offsets` say */

void part_hash(uint8_t (*out)[SHA512_DIGEST], const uint8_t *data, const uint32_t *offsets, size_t count)
{
    struct sha512_input *const inputs = calloc(count + 1, sizeof *inputs);

    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < SHA512_PIECES; k++) {
            const uint32_t *const offset = offsets + SHA512_PIECES * i + k;

            inputs[i].pieces[k] = data + offset[0];
            inputs[i].sizes[k] = offset[1] - offset[0];
        }
    KERNEL.hash(out, inputs, count);
    free(inputs);
}

/* --- digits of windows */

void part_digits(int32_t *digits, const uint64_t scalar[SCALAR_WORDS], int scalar_bits, int bits)
{
    const int windows = windows_of(scalar_bits, bits);
    uint64_t offset[SCALAR_WORDS], moved[SCALAR_WORDS];

    plan_offset(offset, windows, bits);
    offset_scalar(moved, scalar, offset);
    for (int i = 0; i < windows; i++)
        digits[i] = window_digit(moved, i, windows, bits);
}
