/* SHA-256 with the cryptographic extension of ARMv8 (SHA256H, SHA256H2, SHA256SU0, SHA256SU1). */
#include "cpu.h"

#ifdef PYCHAIN_ARM64

#if defined(__clang__) && !defined(__ARM_FEATURE_SHA2)
#define __ARM_FEATURE_SHA2 1 /* older versions declare the intrinsics only if a whole file may use them */
#endif
#include <arm_neon.h>

#include "kernels.h"

#if defined(__clang__)
#define TARGET __attribute__((target("sha2")))
#else
#define TARGET __attribute__((target("+crypto")))
#endif
typedef uint32x4_t Q;

/* The words a b c d and e f g h, the first of them lowest. */
struct state {
    Q x, y;
};

#define ADD(a, b) vaddq_u32(a, b)
#define WORDS(p) vld1q_u32(p)
#define PUT_WORDS(p, q) vst1q_u32(p, q)
#define MESSAGE(p) vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(p)))
#define PUT_MESSAGE(p, q) vst1q_u8(p, vrev32q_u8(vreinterpretq_u8_u32(q)))
#define ONE_WORD(n) vsetq_lane_u32(n, vdupq_n_u32(0), 0)
#define FOURTH(q, n) vsetq_lane_u32(n, q, 3)
#define EXTEND0(a, b) vsha256su0q_u32(a, b)
#define EXTEND1(sum, c, d) vsha256su1q_u32(sum, c, d)
#define PACK(abcd, efgh) ((struct state){abcd, efgh})
#define ABCD(s) ((s).x)
#define EFGH(s) ((s).y)

TARGET static inline void FOUR_ROUNDS(struct state *s, Q wk)
{
    const Q abcd = s->x;

    s->x = vsha256hq_u32(abcd, s->y, wk);
    s->y = vsha256h2q_u32(s->y, abcd, wk);
}

TARGET static inline uint32_t LAST_H(struct state s, Q wk)
{
    return vgetq_lane_u32(vsha256h2q_u32(s.y, s.x, wk), 3);
}

#include "streams.h"

const struct sha256_kernel SHA256_ARMV8 = {
    .name = "sha256:armv8",
    .needs = CPU_ARM_SHA2,
    .compress = compress,
    .lanes = STREAMS,
    .worthwhile = 2,
    .many = many,
    .pairs = pairs,
    .scan_lanes = STREAMS,
    .scan = scan,
};

#else
typedef int not_empty; /* ISO C wants at least one declaration */
#endif
