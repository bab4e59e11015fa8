/* Threads that help with a batch and then wait for the next. Internal to the core. */
#ifndef PYCHAIN_ED25519_HELPERS_H
#define PYCHAIN_ED25519_HELPERS_H

#include <stdatomic.h>

enum { MOST_HELPERS = 63 };

/* Work that any number of threads may join in, each by one call of `run`, which returns when nothing is left to do. */
struct task {
    void (*run)(void *context);
    void *context;
    /* The rest is for helpers.c alone. */
    unsigned wanted;    /* helpers that may still join */
    atomic_uint active; /* those that have joined and not returned */
    struct task *next;
};

/* Once, before any other call: makes a forked child begin with no helpers, as it has none. */
void helpers_init(void);

/* Do the task on the calling thread and up to `helpers` others; returns when all have returned. Where no thread is to
 * be had, the others do its work. Any number of threads may call it at once. */
void helpers_run(struct task *task, unsigned helpers);

#endif
