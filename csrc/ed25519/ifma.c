/* The kernel for AVX-512 IFMA: eight field elements at a time.
 *
 * Eight points are decompressed side by side, and eight inputs hashed. In a sum by Pippenger's method each lane adds up
 * buckets of its own, and then each of eight windows its buckets. For a single sum, to join the windows or to verify
 * one signature, the four coordinates of a point are in four lanes (Hisil et al. 2008, section 4).
 */
#include "cpu.h"

#if defined(PYCHAIN_X86) && defined(__SIZEOF_INT128__)

#include "arena.h"
#include "field_ifma.h"
#include "group.h"
#include "halving.h"
#include "quad.h"
#include "sha512_avx512.h"
#include "windows.h"

enum { COORDINATES = 4, POINT_VECTORS = COORDINATES * LIMBS };

/* --- decompression and hashing */

IFMA_TARGET static void decompress_lanes(struct ed25519_affine *points, uint8_t *valid, const uint8_t *const *encodings,
                                         size_t count, int ways)
{
    fe y[WAYS];
    lanes sign[WAYS], found[WAYS];
    affine out[WAYS];
    _Alignas(64) uint64_t words[4][LANES], limbs[3][LIMBS][LANES];

    EACH_WAY {
        for (size_t i = 0; i < LANES; i++) { /* lanes past the end repeat the last */
            const size_t at = (size_t)w * LANES + i;
            for (int k = 0; k < 4; k++)
                words[k][i] = load_le64(encodings[at < count ? at : count - 1] + 8 * k);
        }
        y[w] = fe_from_words(_mm512_load_si512(words[0]), _mm512_load_si512(words[1]), _mm512_load_si512(words[2]),
                             _mm512_load_si512(words[3]));
        sign[w] = _mm512_cmplt_epi64_mask(_mm512_load_si512(words[3]), _mm512_setzero_si512());
    }
    decompress(out, found, y, sign, ways);
    EACH_WAY {
        for (int k = 0; k < LIMBS; k++) {
            _mm512_store_si512(limbs[0][k], out[w].diff.v[k]);
            _mm512_store_si512(limbs[1][k], out[w].sum.v[k]);
            _mm512_store_si512(limbs[2][k], out[w].t2d.v[k]);
        }
        for (size_t i = 0; i < LANES && (size_t)w * LANES + i < count; i++) {
            struct ed25519_affine *const to = &points[(size_t)w * LANES + i];

            valid[(size_t)w * LANES + i] = found[w] >> i & 1;
            for (int k = 0; k < LIMBS; k++) {
                to->diff[k] = limbs[0][k][i];
                to->sum[k] = limbs[1][k][i];
                to->t2d[k] = limbs[2][k][i];
            }
        }
    }
}

IFMA_TARGET static void decompress_all(struct ed25519_affine *points, uint8_t *valid, const uint8_t *const *encodings,
                                       size_t count)
{
    for (size_t i = 0; i < count; i += WAYS * LANES)
        if (count - i > LANES)
            decompress_lanes(points + i, valid + i, encodings + i,
                             count - i < WAYS * LANES ? count - i : WAYS * LANES, WAYS);
        else
            decompress_lanes(points + i, valid + i, encodings + i, count - i, 1);
}

IFMA_TARGET static void hash_all(uint8_t (*out)[SHA512_DIGEST], const struct sha512_input *inputs, size_t count)
{
    for (size_t i = 0; i < count; i += LANES)
        sha512_hash_lanes(out + i, inputs + i, count - i < LANES ? count - i : LANES);
}

/* --- Pippenger's method in lanes */

struct bucket_list {
    uint32_t *entries; /* by bucket: the index of a point, doubled, and 1 where it is subtracted */
    uint32_t *starts;  /* of each bucket in the entries, and the end */
    size_t buckets;    /* of all windows together */
};

struct pippenger {
    struct digit_plan plan;
    int windows;          /* a multiple of LANES; the last ones may be empty */
    uint64_t (*scalars)[SCALAR_WORDS];
    int16_t *digits;
    struct bucket_list list;
    vector *sums; /* bucket b of window w: lane w % LANES of POINT_VECTORS vectors, group w / LANES, then by b */
};

static int rounded_windows(int bits)
{
    return (windows_of(LONG_BITS, bits) + LANES - 1) / LANES * LANES;
}

/* The parts of the work memory; returns its size. For fewer terms the best windows are no wider, so the sums have room;
 * and their cost, with which the entries are counted, is at most that of these windows. */
static size_t lay_out(struct pippenger *p, uint8_t *work, size_t longs, size_t shorts)
{
    const int bits = plan_best_bits(longs, shorts);
    const size_t count = longs + shorts, buckets = (size_t)rounded_windows(bits) << (bits - 1);
    struct arena arena = {work, 0};

    p->sums = arena_take(&arena, buckets / LANES * POINT_VECTORS * sizeof *p->sums);
    p->scalars = arena_take(&arena, count * sizeof *p->scalars);
    p->digits = arena_take(&arena, count * sizeof *p->digits);
    p->list.starts = arena_take(&arena, (buckets + 1) * sizeof *p->list.starts);
    p->list.entries = arena_take(&arena, plan_cost(longs, shorts, bits) * sizeof *p->list.entries);
    return arena.used;
}

static size_t work_size(size_t longs, size_t shorts)
{
    struct pippenger counted;

    return lay_out(&counted, NULL, longs, shorts);
}

/* List the terms of one window by bucket, from entry `at` on; returns where they end. */
static size_t sort_window(struct pippenger *p, const struct ed25519_term *terms, size_t longs, size_t shorts, int window,
                          size_t at)
{
    const int bits = p->plan.bits, buckets = 1 << (bits - 1);
    const size_t from_long = window < p->plan.long_windows ? longs : 0;
    const size_t count = window < p->plan.short_windows ? longs + shorts : from_long;
    uint32_t *const starts = p->list.starts + ((size_t)window << (bits - 1));
    uint32_t next[MOST_BUCKETS + 1]; /* by absolute digit: how many, then where the next goes */

    memset(next, 0, ((size_t)buckets + 1) * sizeof *next);
    for (size_t i = 0; i < count; i++) {
        const int windows = i < longs ? p->plan.long_windows : p->plan.short_windows;
        const int digit = window_digit(p->scalars[i], window, windows, bits);

        p->digits[i] = (int16_t)digit;
        next[digit < 0 ? -digit : digit]++;
    }
    for (int b = 0; b < buckets; b++) {
        const uint32_t here = next[b + 1];

        starts[b] = next[b + 1] = (uint32_t)at;
        at += here;
    }
    for (size_t i = 0; i < count; i++) {
        const int digit = p->digits[i];

        if (digit != 0)
            p->list.entries[next[digit < 0 ? -digit : digit]++] = terms[i].point << 1 | (digit < 0);
    }
    return at;
}

/* A lane's progress through its buckets. */
struct walk {
    const uint32_t *entry, *bucket_end;
    size_t bucket, last_bucket; /* last_bucket is past the lane's own */
};

/* Four columns of eight rows, as four vectors. */
FIELD_FUNCTION void load_columns(vector out[4], const uint64_t *const rows[LANES], int at)
{
    vector r[4];
    const vector low = _mm512_set_epi64(13, 12, 5, 4, 9, 8, 1, 0), high = _mm512_set_epi64(15, 14, 7, 6, 11, 10, 3, 2);

    for (int i = 0; i < 4; i++)
        r[i] = _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_load_si256((const __m256i *)(const void *)(rows[i] + at))),
                                  _mm256_load_si256((const __m256i *)(const void *)(rows[i + 4] + at)), 1);
    const vector even01 = _mm512_unpacklo_epi64(r[0], r[1]), odd01 = _mm512_unpackhi_epi64(r[0], r[1]);
    const vector even23 = _mm512_unpacklo_epi64(r[2], r[3]), odd23 = _mm512_unpackhi_epi64(r[2], r[3]);
    out[0] = _mm512_permutex2var_epi64(even01, low, even23);
    out[1] = _mm512_permutex2var_epi64(odd01, low, odd23);
    out[2] = _mm512_permutex2var_epi64(even01, high, even23);
    out[3] = _mm512_permutex2var_epi64(odd01, high, odd23);
}

/* Eight points, those in the lanes of `minus` negated. */
FIELD_FUNCTION affine load_affines(const uint64_t *const rows[LANES], lanes minus)
{
    vector c[16];
    fe diff, sum, t2d;

    load_columns(c, rows, 0);
    load_columns(c + 4, rows, 4);
    load_columns(c + 8, rows, 8);
    load_columns(c + 12, rows, 12);
    diff = (fe){{c[0], c[1], c[2], c[3], c[4]}};
    sum = (fe){{c[5], c[6], c[7], c[8], c[9]}};
    t2d = (fe){{c[10], c[11], c[12], c[13], c[14]}};
    return (affine){fe_select(diff, sum, minus), fe_select(sum, diff, minus), fe_negate_some(t2d, minus)};
}

IFMA_TARGET static void in_prime_group_all(uint8_t *prime, const struct ed25519_affine *points, size_t count)
{
    for (size_t i = 0; i < count; i += WAYS * LANES) {
        const int ways = count - i > LANES ? WAYS : 1;
        affine loaded[WAYS];
        lanes found[WAYS];

        EACH_WAY {
            const uint64_t *rows[LANES];

            for (size_t lane = 0; lane < LANES; lane++) { /* lanes past the end repeat the last */
                const size_t at = i + (size_t)w * LANES + lane;
                rows[lane] = points[at < count ? at : count - 1].diff;
            }
            loaded[w] = load_affines(rows, 0);
        }
        in_prime_group(found, loaded, ways);
        for (size_t k = 0; k < (size_t)ways * LANES && i + k < count; k++)
            prime[i + k] = found[k / LANES] >> k % LANES & 1;
    }
}

FIELD_FUNCTION void store_limbs(vector out[POINT_VECTORS], const point *p)
{
    for (int k = 0; k < LIMBS; k++) {
        out[k] = p->diff.v[k];
        out[LIMBS + k] = p->sum.v[k];
        out[2 * LIMBS + k] = p->z.v[k];
        out[3 * LIMBS + k] = p->t.v[k];
    }
}

FIELD_FUNCTION point load_limbs(const vector in[POINT_VECTORS])
{
    return (point){{{in[0], in[1], in[2], in[3], in[4]}},
                   {{in[5], in[6], in[7], in[8], in[9]}},
                   {{in[10], in[11], in[12], in[13], in[14]}},
                   {{in[15], in[16], in[17], in[18], in[19]}}};
}

FIELD_FUNCTION point select_point(const point *a, const point *b, lanes which)
{
    return (point){fe_select(a->diff, b->diff, which), fe_select(a->sum, b->sum, which),
                   fe_select(a->z, b->z, which), fe_select(a->t, b->t, which)};
}

/* The place of a bucket's sum: POINT_VECTORS words, LANES apart. */
static uint64_t *sum_place(const struct pippenger *p, size_t bucket)
{
    const size_t each = (size_t)1 << (p->plan.bits - 1), window = bucket / each, b = bucket % each;

    return (uint64_t *)(void *)&p->sums[(window / LANES * each + b) * POINT_VECTORS] + window % LANES;
}

/* The lane's sum is that of its bucket; empty ones that follow get the identity. Returns whether there is another. */
static int finish_bucket(const struct pippenger *p, struct walk *walk, const uint64_t *sum)
{
    static const uint64_t IDENTITY[POINT_VECTORS] = {[0] = 1, [LIMBS] = 1, [2 * LIMBS] = 1};
    uint64_t *place = sum_place(p, walk->bucket);

    for (int k = 0; k < POINT_VECTORS; k++)
        place[k * LANES] = sum[k * LANES];
    while (++walk->bucket < walk->last_bucket) {
        walk->bucket_end = p->list.entries + p->list.starts[walk->bucket + 1];
        if (walk->entry != walk->bucket_end)
            return 1;
        place = sum_place(p, walk->bucket);
        for (int k = 0; k < POINT_VECTORS; k++)
            place[k * LANES] = IDENTITY[k];
    }
    return 0;
}

/* Distribute the buckets so that the lanes have about equally many entries. */
static void share_out(const struct bucket_list *list, struct walk walks[LANES])
{
    const uint64_t entries = list->starts[list->buckets];
    size_t bucket = 0;

    for (uint64_t lane = 0; lane < LANES; lane++) {
        walks[lane].bucket = bucket;
        walks[lane].entry = list->entries + list->starts[bucket];
        walks[lane].bucket_end = list->entries + list->starts[bucket + (bucket < list->buckets)];
        while (bucket < list->buckets && (lane + 1 == LANES || list->starts[bucket + 1] <= entries * (lane + 1) / LANES))
            bucket++;
        walks[lane].last_bucket = bucket;
    }
}

/* Every bucket's sum: each lane goes through its own. */
IFMA_TARGET static void fill_buckets(const struct pippenger *p, const struct ed25519_affine *points)
{
    static const struct ed25519_affine NEUTRAL = {.diff = {1}, .sum = {1}};
    const point identity = point_identity();
    struct walk walks[LANES];
    lanes active = 0;
    point sum = identity;

    share_out(&p->list, walks);
    for (int i = 0; i < LANES; i++)
        active |= (lanes)((walks[i].bucket < walks[i].last_bucket) << i);
    while (active != 0) {
        const uint64_t *rows[LANES];
        unsigned ended = 0, minus = 0;

        for (int i = 0; i < LANES; i++)
            ended |= (unsigned)(walks[i].entry == walks[i].bucket_end) << i;
        ended &= active;
        if (ended != 0) {
            vector spilled[POINT_VECTORS];

            store_limbs(spilled, &sum);
            for (unsigned rest = ended; rest != 0; rest &= rest - 1) {
                const int i = __builtin_ctz(rest);
                if (!finish_bucket(p, &walks[i], (const uint64_t *)(const void *)spilled + i))
                    active &= (lanes)~(1 << i);
            }
            sum = select_point(&sum, &identity, (lanes)ended);
        }
        for (int i = 0; i < LANES; i++) {
            const uint32_t entry = active >> i & 1 ? *walks[i].entry++ : 0;

            rows[i] = active >> i & 1 ? points[entry >> 1].diff : NEUTRAL.diff;
            minus |= (entry & 1) << i;
        }
        const affine next = load_affines(rows, (lanes)minus);
        sum = point_add_affine(&sum, &next);
    }
}

/* The sums of LANES windows, each over b of (b + 1) times bucket b. */
IFMA_TARGET static void sum_buckets(const struct pippenger *p, size_t group, struct quad_addend out[LANES])
{
    const size_t each = (size_t)1 << (p->plan.bits - 1);
    point running = point_identity(), total = running;

    for (size_t b = each; b-- > 0;) {
        const point sum = load_limbs(&p->sums[(group * each + b) * POINT_VECTORS]);
        const addend bucket = point_to_addend(&sum);

        running = point_add(&running, &bucket);
        const addend so_far = point_to_addend(&running);
        total = point_add(&total, &so_far);
    }
    const addend result = point_to_addend(&total);
    const point as_limbs = {result.diff, result.sum, result.z2, result.t2d};
    vector limbs[POINT_VECTORS];
    store_limbs(limbs, &as_limbs);
    for (int k = 0; k < POINT_VECTORS; k++)
        for (int i = 0; i < LANES; i++)
            out[i].limbs[k % LIMBS][k / LIMBS] = ((const uint64_t *)(const void *)&limbs[k])[i];
}

IFMA_TARGET static void sum_terms(struct ed25519_point *out, const struct ed25519_affine *points,
                                  const struct ed25519_term *terms, size_t longs, size_t shorts, void *work)
{
    struct quad_addend of_windows[(LONG_BITS + 1) / NARROWEST + LANES];
    struct pippenger p;
    size_t at = 0;

    lay_out(&p, work, longs, shorts);
    p.plan = plan_digits(plan_best_bits(longs, shorts));
    p.windows = rounded_windows(p.plan.bits);
    p.list.buckets = (size_t)p.windows << (p.plan.bits - 1);
    for (size_t i = 0; i < longs + shorts; i++)
        offset_scalar(p.scalars[i], terms[i].scalar, i < longs ? p.plan.long_offset : p.plan.short_offset);
    for (int window = 0; window < p.windows; window++)
        at = sort_window(&p, terms, longs, shorts, window, at);
    p.list.starts[p.list.buckets] = (uint32_t)at;
    fill_buckets(&p, points);
    for (int group = 0; group * LANES < p.windows; group++)
        sum_buckets(&p, (size_t)group, of_windows + group * LANES);

    quad sum = quad_identity();
    for (int window = p.plan.long_windows; window-- > 0;) {
        for (int i = 0; i < p.plan.bits; i++)
            sum = quad_double(sum);
        sum = quad_add(sum, quad_pair(&of_windows[window], &of_windows[window]));
    }
    quad_store(out, sum);
}

/* --- one signature: A and the low half of the base point's scalar in lanes 0 to 3, R and the high half in 4 to 7 */

enum { TABLE_BITS = 4, TABLE = 1 << (TABLE_BITS - 1), BASE_BITS = 8, SINGLE_WINDOWS = 128 / TABLE_BITS };

/* Multiples 0 to TABLE of two points. */
IFMA_TARGET static void multiples(struct quad_addend table[2][TABLE + 1], const struct ed25519_affine *first,
                                  int minus_first, const struct ed25519_affine *second, int minus_second)
{
    const quad step = quad_negate_some(quad_from_affines(first, second), minus_first, minus_second);
    quad sum = quad_identity();

    for (int i = 0; i <= TABLE; i++) {
        quad_split(&table[0][i], &table[1][i], quad_to_addend(sum));
        sum = quad_add(sum, step);
    }
}

IFMA_TARGET static void single(struct ed25519_point *out, const struct ed25519_single *equation)
{
    static const struct ed25519_affine NEUTRAL = {.diff = {1}, .sum = {1}};
    const uint64_t u[SCALAR_WORDS] = {equation->u[0], equation->u[1]}, v[SCALAR_WORDS] = {equation->v[0], equation->v[1]};
    uint64_t offset[SCALAR_WORDS], digits_u[SCALAR_WORDS], digits_v[SCALAR_WORDS], digits_base[SCALAR_WORDS];
    struct quad_addend table[2][TABLE + 1];
    quad sum = quad_identity();

    plan_offset(offset, SINGLE_WINDOWS, TABLE_BITS);
    offset_scalar(digits_u, u, offset);
    offset_scalar(digits_v, v, offset);
    plan_offset(offset, 256 / BASE_BITS, BASE_BITS);
    offset_scalar(digits_base, equation->vs, offset);
    multiples(table, equation->a, !equation->add_a, equation->r, 1);
    for (int window = SINGLE_WINDOWS; window-- > 0;) {
        const int a = window_digit(digits_u, window, SINGLE_WINDOWS, TABLE_BITS);
        const int r = window_digit(digits_v, window, SINGLE_WINDOWS, TABLE_BITS);

        for (int i = 0; i < TABLE_BITS; i++)
            sum = quad_double(sum);
        sum = quad_add(sum, quad_negate_some(quad_pair(&table[0][a < 0 ? -a : a], &table[1][r < 0 ? -r : r]), a < 0, r < 0));
        if (window % (BASE_BITS / TABLE_BITS) != 0)
            continue;
        const int at = window * TABLE_BITS / BASE_BITS;
        const int low = window_digit(digits_base, at, 256 / BASE_BITS, BASE_BITS);
        const int high = window_digit(digits_base, at + 128 / BASE_BITS, 256 / BASE_BITS, BASE_BITS);
        const struct ed25519_affine *const low_multiple = low == 0 ? &NEUTRAL : &ED25519_BASE[0][(low < 0 ? -low : low) - 1];
        const struct ed25519_affine *const high_multiple =
            high == 0 ? &NEUTRAL : &ED25519_BASE[1][(high < 0 ? -high : high) - 1];
        sum = quad_add(sum, quad_negate_some(quad_from_affines(low_multiple, high_multiple), low < 0, high < 0));
    }
    quad_store(out, quad_add(sum, quad_swap_halves(quad_to_addend(sum))));
}

const struct ed25519_kernel ED25519_IFMA = {
    .name = "ed25519:ifma",
    .needs = CPU_AVX512F | CPU_AVX512IFMA,
    .worthwhile = 6,
    .decompress = decompress_all,
    .in_prime_group = in_prime_group_all,
    .hash = hash_all,
    .work_size = work_size,
    .sum = sum_terms,
    .single = single,
};

#else
typedef int not_empty; /* ISO C wants at least one declaration */
#endif
