/* PFS_CLONES before a function's definition compiles it once per level of x86-64 vectors; the loader picks one. The
 * bits are the same at every level, because contraction is off and no sum may be reordered. Empty where the compiler
 * cannot do it, under a sanitizer, and with PFS_NO_CLONES (the tests compare the two). */
#ifndef PLANEFS_KERNELS_CLONES_H
#define PLANEFS_KERNELS_CLONES_H

#if defined __x86_64__ && defined __linux__ && defined __GNUC__ && !defined __clang__ && \
    !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__ && !defined PFS_NO_CLONES
#define PFS_CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define PFS_CLONES
#endif

/* Before a loop whose arrays overlap at most element by element. */
#if defined __clang__
#define PFS_IVDEP _Pragma("clang loop vectorize(assume_safety)")
#else
#define PFS_IVDEP _Pragma("GCC ivdep")
#endif

/* For the bodies that such functions share. */
#define PFS_INLINE static inline __attribute__((always_inline))

#endif
