/* Scalars cut into signed digits of equal width, for Pippenger's method (1976). Internal to the core.
 *
 * Window j holds a digit of -2^(bits - 1) to 2^(bits - 1) - 1. To avoid carries, 2^(bits - 1) is added to the
 * scalar at every window but the top one, and subtracted from the digit again. The top window's digit is not negative, and
 * since the windows of a scalar below 2^n cover n + 1 bits, it is at most 2^(bits - 1) too.
 */
#ifndef PYCHAIN_ED25519_WINDOWS_H
#define PYCHAIN_ED25519_WINDOWS_H

#include "ed25519.h"

enum {
    LONG_BITS = 253, /* a scalar modulo L */
    SHORT_BITS = 128,
    NARROWEST = 3, /* windows: below, Straus's method is better in any case */
    WIDEST = 12,
    MOST_BUCKETS = 1 << (WIDEST - 1),
};

struct digit_plan {
    int bits;
    int long_windows, short_windows;
    uint64_t long_offset[SCALAR_WORDS], short_offset[SCALAR_WORDS];
};

static inline int windows_of(int scalar_bits, int bits)
{
    return (scalar_bits + 1 + bits - 1) / bits;
}

/* The additions of a sum with windows of `bits` bits: points to buckets, and buckets to sums of windows. */
static inline size_t plan_cost(size_t longs, size_t shorts, int bits)
{
    const size_t windows = (size_t)windows_of(LONG_BITS, bits);

    return longs * windows + shorts * (size_t)windows_of(SHORT_BITS, bits) + (windows << bits) * 5 / 4;
}

static inline int plan_best_bits(size_t longs, size_t shorts)
{
    int best = NARROWEST;

    for (int bits = NARROWEST + 1; bits <= WIDEST; bits++)
        if (plan_cost(longs, shorts, bits) < plan_cost(longs, shorts, best))
            best = bits;
    return best;
}

static inline void plan_offset(uint64_t offset[SCALAR_WORDS], int windows, int bits)
{
    for (int i = 0; i < SCALAR_WORDS; i++)
        offset[i] = 0;
    for (int j = 0; j + 1 < windows; j++) {
        const int at = j * bits + bits - 1;
        offset[at / 64] |= (uint64_t)1 << at % 64;
    }
}

static inline struct digit_plan plan_digits(int bits)
{
    struct digit_plan plan = {.bits = bits,
                              .long_windows = windows_of(LONG_BITS, bits),
                              .short_windows = windows_of(SHORT_BITS, bits)};

    plan_offset(plan.long_offset, plan.long_windows, bits);
    plan_offset(plan.short_offset, plan.short_windows, bits);
    return plan;
}

/* out = scalar + offset, below 2^254. */
static inline void offset_scalar(uint64_t out[SCALAR_WORDS], const uint64_t *scalar, const uint64_t *offset)
{
    uint64_t carry = 0;

    for (int i = 0; i < SCALAR_WORDS; i++) {
        const uint64_t sum = scalar[i] + carry;
        carry = sum < carry;
        out[i] = sum + offset[i];
        carry += out[i] < sum;
    }
}

/* Digit `window` of `windows` of a scalar with its offset. */
static inline int window_digit(const uint64_t with_offset[SCALAR_WORDS], int window, int windows, int bits)
{
    const int at = window * bits;
    uint64_t raw = with_offset[at / 64] >> at % 64;

    if (at % 64 + bits > 64 && at / 64 + 1 < SCALAR_WORDS)
        raw |= with_offset[at / 64 + 1] << (64 - at % 64);
    raw &= ((uint64_t)1 << bits) - 1;
    return (int)raw - (window + 1 < windows ? 1 << (bits - 1) : 0);
}

#endif
