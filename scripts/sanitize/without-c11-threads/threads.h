/*
 * In the place of C11's <threads.h>, so that librdkafka's configure script does not find it and the library brings its own threads
 * (tinycthread), over POSIX's: ThreadSanitizer sees only these. The script has the option --disable-c11threads for it, which
 * the build script of rdkafka-sys cannot be made to give.
 */
#error "not with ThreadSanitizer"
