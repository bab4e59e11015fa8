/* Threads that help with a batch and then wait for the next. Internal to the core. */
#ifndef PYCHAIN_ED25519_HELPERS_H
#define PYCHAIN_ED25519_HELPERS_H

#include <stdatomic.h>

enum { MOST_HELPERS = 63 };

/* Work that any number of threads may join, each by one call of `run`, which returns when nothing is left to do. */
struct task {
    void (*run)(void *context);
    void *context;
    /* The rest is only for helpers.c. */
    unsigned wanted;    /* helpers that may still join */
    atomic_uint active; /* those that have joined and not returned */
    struct task *next;
};

/* Call once, before any other call: lets a forked child begin without helpers, since it has none. */
void helpers_init(void);

/* Do the task on the calling thread and up to `helpers` others; returns when all have returned. If a thread cannot be
 * started, the others do its work. Any number of threads may call it at once. */
void helpers_run(struct task *task, unsigned helpers);

#endif
