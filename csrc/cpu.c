/* CPU detection: cpuid and xgetbv on x86, the kernel's hardware capabilities on ARMv8. */
#include "cpu.h"

#include <string.h>

#include "pychain.h"

static const struct {
    unsigned bit;
    const char *name;
} FEATURE_NAMES[] = {
    {CPU_SSSE3, "ssse3"},       {CPU_SSE41, "sse4.1"},      {CPU_SHANI, "sha_ni"},
    {CPU_AVX2, "avx2"},         {CPU_BMI2, "bmi2"},         {CPU_AVX512F, "avx512f"},
    {CPU_AVX512BW, "avx512bw"}, {CPU_AVX512VL, "avx512vl"}, {CPU_AVX512IFMA, "avx512ifma"},
    {CPU_ARM_SHA2, "sha2"},
};

#ifdef PYCHAIN_X86

#include <cpuid.h>

/* XCR0: which register files the operating system saves over a context switch (Intel SDM vol. 1, 13.3). */
static uint64_t saved_state(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

unsigned cpu_features(void)
{
    const uint64_t YMM = 0x06, ZMM = 0xe6; /* SSE | AVX, and those with the opmask and both ZMM parts */
    unsigned a, b, c, d, features = 0;
    uint64_t saved;

    if (!__get_cpuid(1, &a, &b, &c, &d))
        return 0;
    saved = c & bit_OSXSAVE ? saved_state() : 0;
    features |= c & bit_SSSE3 ? CPU_SSSE3 : 0;
    features |= c & bit_SSE4_1 ? CPU_SSE41 : 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return features;
    features |= b & bit_SHA ? CPU_SHANI : 0;
    features |= b & bit_BMI2 ? CPU_BMI2 : 0;
    if ((saved & YMM) == YMM)
        features |= b & bit_AVX2 ? CPU_AVX2 : 0;
    if ((saved & ZMM) == ZMM) {
        features |= b & bit_AVX512F ? CPU_AVX512F : 0;
        features |= b & bit_AVX512BW ? CPU_AVX512BW : 0;
        features |= b & bit_AVX512VL ? CPU_AVX512VL : 0;
        features |= b & bit_AVX512IFMA ? CPU_AVX512IFMA : 0;
    }
    return features;
}

void pychain_cpu_name(char *out, size_t size)
{
    char brand[49] = ""; /* three leaves of 16 characters */
    const char *name = brand;
    unsigned a, b, c, d;

    for (unsigned leaf = 0; leaf < 3; leaf++) {
        if (!__get_cpuid(0x80000002 + leaf, &a, &b, &c, &d))
            break;
        memcpy(brand + 16 * leaf, &a, 4);
        memcpy(brand + 16 * leaf + 4, &b, 4);
        memcpy(brand + 16 * leaf + 8, &c, 4);
        memcpy(brand + 16 * leaf + 12, &d, 4);
    }
    while (*name == ' ')
        name++;
    if (size != 0) {
        size_t length = strlen(name) < size ? strlen(name) : size - 1;
        memcpy(out, name, length);
        out[length] = '\0';
    }
}

#else

#if defined(PYCHAIN_ARM64) && defined(__linux__)
#include <sys/auxv.h>
#define HWCAP_SHA2_BIT (1ul << 6) /* HWCAP_SHA2, asm/hwcap.h */
#endif

unsigned cpu_features(void)
{
#if defined(PYCHAIN_ARM64) && defined(__linux__)
    return getauxval(AT_HWCAP) & HWCAP_SHA2_BIT ? CPU_ARM_SHA2 : 0;
#elif defined(PYCHAIN_ARM64) && defined(__APPLE__)
    return CPU_ARM_SHA2; /* every Apple CPU that runs macOS has it */
#else
    return 0;
#endif
}

void pychain_cpu_name(char *out, size_t size)
{
    if (size != 0) /* no instruction of user level gives a name; the caller asks the system */
        out[0] = '\0';
}

#endif

void pychain_cpu_features(char *out, size_t size)
{
    const unsigned features = cpu_features();
    size_t used = 0;

    if (size == 0)
        return;
    for (size_t i = 0; i < sizeof FEATURE_NAMES / sizeof *FEATURE_NAMES; i++) {
        size_t length = strlen(FEATURE_NAMES[i].name);
        if (!(features & FEATURE_NAMES[i].bit))
            continue;
        if (used + length + 2 > size)
            break;
        if (used != 0)
            out[used++] = ' ';
        memcpy(out + used, FEATURE_NAMES[i].name, length);
        used += length;
    }
    out[used] = '\0';
}

const char *pychain_compiler(void)
{
#if defined(__clang__)
    return "clang " __clang_version__;
#elif defined(__GNUC__)
    return "gcc " __VERSION__;
#else
    return "unknown";
#endif
}
