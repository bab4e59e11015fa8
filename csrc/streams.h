/* The operations of a kernel whose instructions hash one message at a time: several messages are interleaved, so that
 * one's rounds run while another's wait.
 *
 * Each includer defines, for its vector type Q of four words:
 *   TARGET              the function attribute that allows its instructions
 *   ADD(x, y)           the sum of two Q
 *   WORDS(p), PUT_WORDS(p, x)   the four words at p; the same back
 *   MESSAGE(p)          the four big-endian words at p, as words
 *   PUT_MESSAGE(p, x)   the same back
 *   ONE_WORD(x)         x, 0, 0, 0
 *   FOURTH(x, n)        x with its last word replaced by n
 *   EXTEND0(a, b), EXTEND1(sum, c, d)   with sum = EXTEND0(a, b), the four words of the schedule that follow a b c d
 * and, for its own order of the state's words in `struct state`:
 *   PACK(abcd, efgh), ABCD(state), EFGH(state)
 *   FOUR_ROUNDS(state, wk)    wk = words of the schedule plus constants of the rounds
 *   LAST_H(state, wk)         the last word of the state after the four rounds, and nothing else of it
 */
#include "sha256.h"

/* Three other streams hide two rounds of latency; a fifth stream would only spill registers. */
enum { STREAMS = 4, QUADS = 16 };

#define STREAM_FUNCTION TARGET static inline __attribute__((always_inline))
#define ALL_STREAMS UNROLL(4) for (int i = 0; i < STREAMS; i++)

/* The last block of a message of 32 bytes, and of a header, after its own words. */
static const uint32_t PADDING_32[8] = {0x80000000, 0, 0, 0, 0, 0, 0, DIGEST * 8};
static const uint32_t PADDING_80[12] = {0x80000000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 80 * 8};

STREAM_FUNCTION void extend(Q w[4][STREAMS], int quad, int i)
{
    w[quad % 4][i] = EXTEND1(EXTEND0(w[quad % 4][i], w[(quad + 1) % 4][i]), w[(quad + 2) % 4][i], w[(quad + 3) % 4][i]);
}

STREAM_FUNCTION void add_state(struct state *s, struct state old)
{
    s->x = ADD(s->x, old.x);
    s->y = ADD(s->y, old.y);
}

/* The rounds of a block in each stream, from quad `first` to before quad `end`. */
STREAM_FUNCTION void rounds(struct state s[STREAMS], Q w[4][STREAMS], int first, int end)
{
    UNROLL(16)
    for (int quad = 0; quad < QUADS; quad++)
        ALL_STREAMS
        {
            if (quad >= first && quad < end)
                FOUR_ROUNDS(&s[i], ADD(w[quad % 4][i], WORDS(SHA256_K + 4 * quad)));
            if (quad < QUADS - 4)
                extend(w, quad, i);
        }
}

STREAM_FUNCTION struct state pack_words(const uint32_t words[8])
{
    return PACK(WORDS(words), WORDS(words + 4));
}

/* The digests in s[i] as the message of the second hash. */
STREAM_FUNCTION void digest_message(Q w[4][STREAMS], const struct state s[STREAMS])
{
    ALL_STREAMS
    {
        w[0][i] = ABCD(s[i]);
        w[1][i] = EFGH(s[i]);
        w[2][i] = WORDS(PADDING_32);
        w[3][i] = WORDS(PADDING_32 + 4);
    }
}

STREAM_FUNCTION void fold_blocks(struct state s[STREAMS], const uint8_t *const block[STREAMS])
{
    struct state old[STREAMS];
    Q w[4][STREAMS];

    ALL_STREAMS
    {
        old[i] = s[i];
        for (int j = 0; j < 4; j++)
            w[j][i] = MESSAGE(block[i] + 16 * j);
    }
    rounds(s, w, 0, QUADS);
    ALL_STREAMS add_state(&s[i], old[i]);
}

STREAM_FUNCTION void fold_padding_64(struct state s[STREAMS])
{
    struct state old[STREAMS];

    ALL_STREAMS old[i] = s[i];
    UNROLL(16)
    for (int quad = 0; quad < QUADS; quad++)
        ALL_STREAMS FOUR_ROUNDS(&s[i], WORDS(PADDING_64_WK + 4 * quad));
    ALL_STREAMS add_state(&s[i], old[i]);
}

/* Hash the digests again and store the results. */
STREAM_FUNCTION void hash_again(uint8_t *const out[STREAMS], struct state s[STREAMS])
{
    const struct state iv = pack_words(SHA256_IV);
    Q w[4][STREAMS];

    digest_message(w, s);
    ALL_STREAMS s[i] = iv;
    rounds(s, w, 0, QUADS);
    ALL_STREAMS
    {
        add_state(&s[i], iv);
        PUT_MESSAGE(out[i], ABCD(s[i]));
        PUT_MESSAGE(out[i] + 16, EFGH(s[i]));
    }
}

TARGET static void many(uint8_t *const out[], const uint8_t *const blocks[], size_t count)
{
    struct state s[STREAMS];

    ALL_STREAMS s[i] = pack_words(SHA256_IV);
    for (size_t k = 0; k < count; k++)
        fold_blocks(s, blocks + k * STREAMS);
    hash_again(out, s);
}

TARGET static void pairs(uint8_t *out, const uint8_t *pairs)
{
    const uint8_t *const block[STREAMS] = {pairs, pairs + PAIR, pairs + 2 * PAIR, pairs + 3 * PAIR};
    uint8_t *const digest[STREAMS] = {out, out + DIGEST, out + 2 * DIGEST, out + 3 * DIGEST};
    struct state s[STREAMS];

    ALL_STREAMS s[i] = pack_words(SHA256_IV);
    fold_blocks(s, block);
    fold_padding_64(s);
    hash_again(digest, s);
}

TARGET static void compress(uint32_t state[8], const uint8_t *blocks, size_t count)
{
    struct state s = pack_words(state);

    for (; count != 0; count--, blocks += BLOCK) {
        const struct state old = s;
        Q w[4];

        for (int j = 0; j < 4; j++)
            w[j] = MESSAGE(blocks + 16 * j);
        UNROLL(16)
        for (int quad = 0; quad < QUADS; quad++) {
            FOUR_ROUNDS(&s, ADD(w[quad % 4], WORDS(SHA256_K + 4 * quad)));
            if (quad < QUADS - 4)
                w[quad % 4] = EXTEND1(EXTEND0(w[quad % 4], w[(quad + 1) % 4]), w[(quad + 2) % 4], w[(quad + 3) % 4]);
        }
        add_state(&s, old);
    }
    PUT_WORDS(state, ABCD(s));
    PUT_WORDS(state + 4, EFGH(s));
}

/* The bit mask of the candidates among STREAMS nonces. As in the lanes, the first four rounds of hash 1 are the job's
 * but for the nonce, and hash 2 ends with the round that yields the word under test. */
STREAM_FUNCTION uint32_t hash_nonces(const struct search_job *job, uint32_t first)
{
    const struct state midstate = pack_words(job->midstate), iv = pack_words(SHA256_IV);
    const Q tail = WORDS(job->tail), abcd = WORDS(job->state4), efgh = WORDS(job->state4 + 4);
    struct state s[STREAMS];
    Q w[4][STREAMS];
    uint32_t candidates = 0;

    ALL_STREAMS
    {
        const uint32_t nonce = byte_swap(first + (uint32_t)i);

        s[i] = PACK(ADD(abcd, ONE_WORD(nonce)), ADD(efgh, ONE_WORD(nonce)));
        w[0][i] = FOURTH(tail, nonce);
        for (int j = 1; j < 4; j++)
            w[j][i] = WORDS(PADDING_80 + 4 * (j - 1));
    }
    rounds(s, w, 1, QUADS);
    ALL_STREAMS add_state(&s[i], midstate);
    digest_message(w, s);
    ALL_STREAMS s[i] = iv;
    rounds(s, w, 0, QUADS - 1);
    ALL_STREAMS
    {
        const uint32_t h7 = LAST_H(s[i], ADD(w[3][i], WORDS(SHA256_K + 60))) + SHA256_IV[7];
        candidates |= (uint32_t)(byte_swap(h7) <= job->bound) << i;
    }
    return candidates;
}

TARGET static uint64_t scan(const struct search_job *jobs, size_t versions, uint32_t first, uint64_t batches,
                            uint32_t *candidates)
{
    for (uint64_t batch = 0; batch < batches; batch++, first += STREAMS) {
        uint32_t any = 0;

        for (size_t i = 0; i < versions; i++)
            any |= candidates[i] = hash_nonces(&jobs[i], first);
        if (any != 0)
            return batch;
    }
    return batches;
}
