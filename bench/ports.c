/* What a core of this machine does in a cycle, measured: the calibration for kernels.py. Each function runs `count` turns
 * of a fixed block of instructions and returns the nanoseconds of thread time that a turn took. */
#define _GNU_SOURCE
#include <stdint.h>
#include <time.h>

/* Time `count` turns of `block`, then leave the vector unit as `leave` does. */
#define TURNS(block, leave, ...)                           \
    do {                                                   \
        const double begin = nanoseconds();                \
        for (uint64_t i = 0; i < count; i++)               \
            __asm__ volatile(block ::: "cc", __VA_ARGS__); \
        const double end = nanoseconds();                  \
        __asm__ volatile(leave);                           \
        return (end - begin) / (double)count;              \
    } while (0)

static double nanoseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return 1e9 * (double)now.tv_sec + (double)now.tv_nsec;
}

#if defined(__x86_64__)

#define EIGHT(op) op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7)
/* Upper halves that stay in use would slow all SSE code of the thread from then on, hashlib's too. */
#define CLEAN "vzeroupper"
#define VECTORS "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8"

/* 64 additions, each of which waits for the one before: one cycle each on every x86 of today. */
double cycles_64(uint64_t count)
{
#define CHAIN(n) "add %%rax, %%rax\n"
#define CHAIN_16 EIGHT(CHAIN) EIGHT(CHAIN)
    TURNS(CHAIN_16 CHAIN_16 CHAIN_16 CHAIN_16, "", "rax");
}

/* 32 independent vector operations in the mixture of SHA-256: adds, logic, and a quarter of rotations or shifts. */
double avx512_32(uint64_t count)
{
#define MIX512(n)                                     \
    "vpaddd %%zmm8, %%zmm" #n ", %%zmm" #n "\n"       \
    "vpternlogd $0x96, %%zmm8, %%zmm8, %%zmm" #n "\n" \
    "vprord $7, %%zmm" #n ", %%zmm" #n "\n"           \
    "vpaddd %%zmm8, %%zmm" #n ", %%zmm" #n "\n"
    TURNS(EIGHT(MIX512), CLEAN, VECTORS);
}

double avx2_32(uint64_t count)
{
#define MIX2(n)                                 \
    "vpaddd %%ymm8, %%ymm" #n ", %%ymm" #n "\n" \
    "vpxor %%ymm8, %%ymm" #n ", %%ymm" #n "\n"  \
    "vpsrld $7, %%ymm" #n ", %%ymm" #n "\n"     \
    "vpaddd %%ymm8, %%ymm" #n ", %%ymm" #n "\n"
    TURNS(EIGHT(MIX2), CLEAN, VECTORS);
}

/* 8 independent sha256rnds2; xmm0 is their common third operand. */
double sha256rnds2_8(uint64_t count)
{
#define ROUNDS(n) "sha256rnds2 %%xmm0, %%xmm" #n "\n"
    TURNS(ROUNDS(1) ROUNDS(2) ROUNDS(3) ROUNDS(4) ROUNDS(5) ROUNDS(6) ROUNDS(7) ROUNDS(8), "", VECTORS);
}

#elif defined(__aarch64__)

double cycles_64(uint64_t count)
{
#define CHAIN_4 "add x9, x9, x9\n add x9, x9, x9\n add x9, x9, x9\n add x9, x9, x9\n"
#define CHAIN_16 CHAIN_4 CHAIN_4 CHAIN_4 CHAIN_4
    TURNS(CHAIN_16 CHAIN_16 CHAIN_16 CHAIN_16, "", "x9");
}

#endif
