/* Arithmetic modulo the order of the base point. */
#include "scalar.h"

#ifdef __SIZEOF_INT128__

#include <string.h>

__extension__ typedef unsigned __int128 uint128;

static const uint64_t ORDER[SCALAR_WORDS] = {0x5812631a5cf5d3ed, 0x14def9dea2f79cd6, 0, 0x1000000000000000};
static const uint64_t RECIPROCAL[5] = {0xed9ce5a30a2c131b, 0x2106215d086329a7, 0xffffffffffffffeb, 0xffffffffffffffff,
                                       0xf}; /* floor(2^512 / L) */

/* a -= b; returns the borrow. */
static uint64_t subtract(uint64_t *a, const uint64_t *b, int words)
{
    uint64_t borrow = 0;

    for (int i = 0; i < words; i++) {
        const uint128 d = (uint128)a[i] - b[i] - borrow;
        a[i] = (uint64_t)d;
        borrow = (uint64_t)(d >> 64) & 1;
    }
    return borrow;
}

/* Whether a < b. */
static int less(const uint64_t *a, const uint64_t *b, int words)
{
    for (int i = words - 1; i >= 0; i--)
        if (a[i] != b[i])
            return a[i] < b[i];
    return 0;
}

/* out += a * b; out has room for the sum. `out` has `out_words` words, which the carry may run through. */
static void multiply_add(uint64_t *out, int out_words, const uint64_t *a, int a_words, const uint64_t *b, int b_words)
{
    for (int i = 0; i < a_words; i++) {
        uint64_t carry = 0;

        for (int j = 0; j < b_words && i + j < out_words; j++) {
            const uint128 t = (uint128)a[i] * b[j] + out[i + j] + carry; /* at most 2^128 - 1 */
            out[i + j] = (uint64_t)t;
            carry = (uint64_t)(t >> 64);
        }
        for (int k = i + b_words; k < out_words && carry != 0; k++) {
            out[k] += carry;
            carry = out[k] < carry;
        }
    }
}

int scalar_from_bytes(uint64_t out[SCALAR_WORDS], const uint8_t bytes[32])
{
    for (int i = 0; i < SCALAR_WORDS; i++)
        out[i] = load_le64(bytes + 8 * i);
    return less(out, ORDER, SCALAR_WORDS);
}

/* Barrett's reduction (Handbook of Applied Cryptography, algorithm 14.42, with base 2^64 and four words): the estimated
 * quotient is at most 2 too small, so at most two subtractions follow. */
void scalar_reduce(uint64_t out[SCALAR_WORDS], const uint64_t x[8])
{
    uint64_t product[10] = {0}, multiple[5] = {0}, rest[5];

    multiply_add(product, 10, x + 3, 5, RECIPROCAL, 5);
    multiply_add(multiple, 5, product + 5, 5, ORDER, SCALAR_WORDS); /* modulo 2^320, where the rest fits */
    memcpy(rest, x, sizeof rest);
    subtract(rest, multiple, 5);
    const uint64_t order[5] = {ORDER[0], ORDER[1], ORDER[2], ORDER[3], 0};
    while (!less(rest, order, 5))
        subtract(rest, order, 5);
    memcpy(out, rest, SCALAR_WORDS * sizeof *out);
}

void scalar_accumulate(uint64_t sum[SUM_WORDS], const uint64_t weight[2], const uint64_t x[SCALAR_WORDS])
{
    multiply_add(sum, SUM_WORDS, weight, 2, x, SCALAR_WORDS);
}

void scalar_finish(uint64_t out[SCALAR_WORDS], const uint64_t sum[SUM_WORDS])
{
    uint64_t x[8] = {0};

    memcpy(x, sum, SUM_WORDS * sizeof *sum);
    scalar_reduce(out, x);
}

void scalar_negate(uint64_t out[SCALAR_WORDS], const uint64_t x[SCALAR_WORDS])
{
    uint64_t r[SCALAR_WORDS];

    memcpy(r, ORDER, sizeof r);
    if ((x[0] | x[1] | x[2] | x[3]) != 0)
        subtract(r, x, SCALAR_WORDS);
    else
        memset(r, 0, sizeof r);
    memcpy(out, r, sizeof r);
}

static int bit_length(const uint64_t *x, int words)
{
    for (int i = words - 1; i >= 0; i--)
        if (x[i] != 0)
            return 64 * i + 64 - __builtin_clzll(x[i]);
    return 0;
}

/* out = x << bits, of four words and bits below 256. */
static void shift_left(uint64_t out[SCALAR_WORDS], const uint64_t x[SCALAR_WORDS], int bits)
{
    const int words = bits / 64, rest = bits % 64;

    for (int i = SCALAR_WORDS - 1; i >= 0; i--) {
        const uint64_t high = i >= words ? x[i - words] : 0, low = i > words ? x[i - words - 1] : 0;
        out[i] = rest != 0 ? high << rest | low >> (64 - rest) : high;
    }
}

/* Euclid's algorithm on (L, k), stopped half-way: every remainder r and its cofactor t of k have
 * t k = +r or -r modulo L, with alternating signs, and |t| times the previous remainder is at most L. So the first
 * remainder below 2^127 comes with |t| <= L / 2^127 < 2^126. (The use: Antipa, Brown, Gallant, Lambert, Struik, Vanstone
 * 2005, "Accelerated verification of ECDSA signatures".) */
int scalar_halve(uint64_t u[2], uint64_t v[2], const uint64_t k[SCALAR_WORDS])
{
    uint64_t r[2][SCALAR_WORDS], shifted[SCALAR_WORDS];
    uint128 t[2] = {0, 1};
    int now = 1; /* index of the smaller remainder; an even number of steps leaves it as it is */

    memcpy(r[0], ORDER, sizeof r[0]);
    memcpy(r[1], k, sizeof r[1]);
    while (bit_length(r[now], SCALAR_WORDS) > 127) {
        uint64_t *const big = r[1 - now];
        const int small_bits = bit_length(r[now], SCALAR_WORDS);

        while (!less(big, r[now], SCALAR_WORDS)) { /* big %= small, by shifts and subtractions */
            int shift = bit_length(big, SCALAR_WORDS) - small_bits;

            shift_left(shifted, r[now], shift);
            if (less(big, shifted, SCALAR_WORDS))
                shift_left(shifted, r[now], --shift);
            subtract(big, shifted, SCALAR_WORDS);
            t[1 - now] += t[now] << shift;
        }
        now = 1 - now;
    }
    u[0] = r[now][0];
    u[1] = r[now][1];
    v[0] = (uint64_t)t[now];
    v[1] = (uint64_t)(t[now] >> 64);
    return now == 0;
}

#else
typedef int not_empty; /* ISO C wants at least one declaration */
#endif
