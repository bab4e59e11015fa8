/* A pool of threads: starting and joining one costs more than a hundredth of a block's verification, so they stay,
 * asleep, until the process ends. */
#define _GNU_SOURCE /* pthread_sigmask, clock_gettime */

#include "helpers.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum { PATIENCE_NS = 200000 }; /* how long to spin for the others, who are nearly done, before sleeping */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards everything below */
static pthread_cond_t posted = PTHREAD_COND_INITIALIZER, returned = PTHREAD_COND_INITIALIZER;
static struct task *tasks;            /* tasks that want helpers */
static unsigned wanted, alive, busy;  /* helpers: wanted by all tasks, existing, running a task */

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
}

static void in_parent(void)
{
    pthread_mutex_unlock(&lock);
}

/* A forked child has none of the threads, so it starts without tasks. */
static void in_child(void)
{
    tasks = NULL;
    wanted = alive = busy = 0;
    pthread_mutex_init(&lock, NULL);
    pthread_cond_init(&posted, NULL);
    pthread_cond_init(&returned, NULL);
}

void helpers_init(void)
{
    pthread_atfork(before_fork, in_parent, in_child);
}

/* Remove the task's remaining wants from the list. */
static void withdraw(struct task *task)
{
    struct task **link = &tasks;

    while (*link != NULL && *link != task)
        link = &(*link)->next;
    if (*link != NULL)
        *link = task->next;
    wanted -= task->wanted;
    task->wanted = 0;
}

static void *help(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&lock);
    for (;;) {
        struct task *const task = tasks;

        if (task == NULL) {
            pthread_cond_wait(&posted, &lock);
            continue;
        }
        busy++;
        atomic_fetch_add(&task->active, 1);
        task->wanted--;
        wanted--;
        if (task->wanted == 0)
            withdraw(task);
        pthread_mutex_unlock(&lock);
        task->run(task->context);
        pthread_mutex_lock(&lock);
        busy--;
        if (atomic_fetch_sub(&task->active, 1) == 1) /* the waiting thread may have returned now, and the task with it */
            pthread_cond_broadcast(&returned);
    }
    return NULL;
}

/* Start a helper with signals blocked: those are for the threads of the program. */
static int start_helper(void)
{
    sigset_t all, before;
    pthread_t thread;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = pthread_create(&thread, NULL, help, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!failed)
        pthread_detach(thread);
    return !failed;
}

static void post(struct task *task, unsigned helpers)
{
    atomic_init(&task->active, 0);
    pthread_mutex_lock(&lock);
    task->wanted = helpers;
    task->next = tasks;
    tasks = task;
    wanted += helpers;
    while (alive - busy < wanted && alive < MOST_HELPERS && start_helper())
        alive++;
    pthread_cond_broadcast(&posted);
    pthread_mutex_unlock(&lock);
}

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void wait_for_all(struct task *task)
{
    const int64_t end = now_ns() + PATIENCE_NS;

    while (atomic_load(&task->active) != 0 && now_ns() < end)
        ;
    if (atomic_load(&task->active) == 0)
        return;
    pthread_mutex_lock(&lock);
    while (atomic_load(&task->active) != 0)
        pthread_cond_wait(&returned, &lock);
    pthread_mutex_unlock(&lock);
}

void helpers_run(struct task *task, unsigned helpers)
{
    if (helpers == 0) {
        task->run(task->context);
        return;
    }
    post(task, helpers);
    task->run(task->context);
    pthread_mutex_lock(&lock);
    withdraw(task);
    pthread_mutex_unlock(&lock);
    wait_for_all(task);
}
