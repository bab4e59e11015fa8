/* The CPU features usable under this operating system. Internal to the core. */
#ifndef PYCHAIN_CPU_H
#define PYCHAIN_CPU_H

#if defined(__x86_64__) || defined(__i386__)
#define PYCHAIN_X86 1
#endif
#if defined(__aarch64__)
#define PYCHAIN_ARM64 1
#endif

enum cpu_feature {
    CPU_SSSE3 = 1 << 0,
    CPU_SSE41 = 1 << 1,
    CPU_SHANI = 1 << 2,
    CPU_AVX2 = 1 << 3,
    CPU_BMI2 = 1 << 4,
    CPU_AVX512F = 1 << 5,
    CPU_AVX512BW = 1 << 6,
    CPU_AVX512VL = 1 << 7,
    CPU_AVX512IFMA = 1 << 8,
    CPU_ARM_SHA2 = 1 << 9,
};

/* The set of `enum cpu_feature` present. A feature is absent if the system does not save its registers. */
unsigned cpu_features(void);

#endif
