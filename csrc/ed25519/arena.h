/* Several arrays in one block of memory. Internal to the core. */
#ifndef PYCHAIN_ED25519_ARENA_H
#define PYCHAIN_ED25519_ARENA_H

#include <stddef.h>
#include <stdint.h>

enum { ALIGNMENT = 64 }; /* a cache line, and the widest vector */

/* With `memory` NULL nothing is allocated, and only the needed size is counted. */
struct arena {
    uint8_t *memory; /* aligned to ALIGNMENT, as every part is */
    size_t used;
};

static inline void *arena_take(struct arena *arena, size_t size)
{
    void *const part = arena->memory == NULL ? NULL : arena->memory + arena->used;

    arena->used += (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return part;
}

#endif
