/* The kernel in use. */
#include "kernels.h"

#include <stdatomic.h>

static _Atomic(const struct sha256_kernel *) in_use;

const struct sha256_kernel *sha256_kernel(void)
{
    return atomic_load_explicit(&in_use, memory_order_relaxed);
}

void sha256_use(const struct sha256_kernel *kernel)
{
    atomic_store(&in_use, kernel);
}
