/* Whether this is a build with a sanitizer: it reserves terabytes of address space and opens files of its own. */
#ifndef PLANEFS_SANITIZER_H
#define PLANEFS_SANITIZER_H

#ifdef __has_feature
#define PFS_HAS_SANITIZER (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define PFS_HAS_SANITIZER 1
#else
#define PFS_HAS_SANITIZER 0
#endif

#endif
