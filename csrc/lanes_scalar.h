/* The macros of the generated code and of FIPS 180-4 for one lane: a plain 32-bit word. */
#ifndef PYCHAIN_LANES_SCALAR_H
#define PYCHAIN_LANES_SCALAR_H

#include <stdint.h>

typedef uint32_t V;

static inline uint32_t rotr(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

#define TARGET
#define ADD(x, y) ((x) + (y))
#define SET(x) (x)
#define BIG0(x) (rotr(x, 2) ^ rotr(x, 13) ^ rotr(x, 22))
#define BIG1(x) (rotr(x, 6) ^ rotr(x, 11) ^ rotr(x, 25))
#define SMALL0(x) (rotr(x, 7) ^ rotr(x, 18) ^ (x) >> 3)
#define SMALL1(x) (rotr(x, 17) ^ rotr(x, 19) ^ (x) >> 10)
#define CH(x, y, z) ((z) ^ ((x) & ((y) ^ (z))))
#define MAJ(x, y, z) (((x) & (y)) | ((z) & ((x) | (y))))

#endif
