/* The search with two independent chains of rounds at the code size of one: hash 2 of a batch is mixed with hash 1 of
 * the next. Best if one chain stalls on its own latency (Zen 5: 84 MH/s against 54). To be included after lanes.h. */

#define NEXT_DIGEST s0 = d0, s1 = d1, s2 = d2, s3 = d3, s4 = d4, s5 = d5, s6 = d6, s7 = d7

TARGET static uint64_t pipeline_one_version(const struct search_job *job, uint32_t first, uint64_t batches,
                                            uint32_t *candidates)
{
    const uint32_t *const u = job->uniforms;
    V s0, s1, s2, s3, s4, s5, s6, s7, d0, d1, d2, d3, d4, d5, d6, d7, h7;

    {
        const V nonce = NONCES(first);
#include "generated/search_first.inc"
    }
    for (uint64_t batch = 0; batch < batches; batch++) {
        const V nonce = NONCES(first += LANES);
        NEXT_DIGEST;
#include "generated/search_mixed.inc"
        *candidates = CANDIDATES(h7, job->bound);
        if (__builtin_expect(*candidates != 0, 0))
            return batch;
    }
    return batches;
}

LANE_FUNCTION void put_schedule(V wk[64], const uint32_t *u, V nonce)
{
#include "generated/search_schedule.inc"
}

/* Here hash 2 under a version is mixed with hash 1 under the next, or with that of the next batch under the first. */
TARGET static uint64_t pipeline_versions(const struct search_job *jobs, size_t versions, uint32_t first,
                                         uint64_t batches, uint32_t *candidates)
{
    V s0, s1, s2, s3, s4, s5, s6, s7, d0, d1, d2, d3, d4, d5, d6, d7, h7, wk[64];
    V nonce = NONCES(first);

    put_schedule(wk, jobs->uniforms, nonce);
    {
        const uint32_t *const u = jobs->uniforms;
#include "generated/search_rounds.inc"
    }
    for (uint64_t batch = 0; batch < batches; batch++) {
        uint32_t any = 0;

        for (size_t i = 0; i < versions; i++) {
            const uint32_t *const u = jobs[i + 1 == versions ? 0 : i + 1].uniforms;

            if (i + 1 == versions) {
                nonce = NONCES(first += LANES);
                put_schedule(wk, u, nonce);
            }
            NEXT_DIGEST;
#include "generated/search_mixed_rounds.inc"
            any |= candidates[i] = CANDIDATES(h7, jobs->bound);
        }
        if (__builtin_expect(any != 0, 0))
            return batch;
    }
    return batches;
}

TARGET static uint64_t pipeline(const struct search_job *jobs, size_t versions, uint32_t first, uint64_t batches,
                                uint32_t *candidates)
{
    return versions == 1 ? pipeline_one_version(jobs, first, batches, candidates)
                         : pipeline_versions(jobs, versions, first, batches, candidates);
}
