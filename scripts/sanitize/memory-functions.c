/*
 * What Rust's compiler calls of ThreadSanitizer's run time and GCC's run time does not have. A library that is preloaded beside that
 * run time, which intercepts the C library's functions and so sees what they read and write. Compiled without the sanitizer, and with
 * -fno-builtin so that no call turns into another; each is a jump, so that a report names the Rust function that called.
 */

#include <string.h>

void *__tsan_memcpy(void *to, const void *from, size_t size) { return memcpy(to, from, size); }
void *__tsan_memmove(void *to, const void *from, size_t size) { return memmove(to, from, size); }
void *__tsan_memset(void *to, int value, size_t size) { return memset(to, value, size); }
