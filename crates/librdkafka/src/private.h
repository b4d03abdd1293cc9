/*
 * Compile-time checks for the files that use librdkafka's private structures: the types of the fields and the
 * signatures of the functions that they use. A field that has changed its type under the same name stops the build;
 * docs/internal/librdkafka.md says what no compiler can check.
 *
 * Not for Microsoft's compiler, which supports _Generic only in a mode that librdkafka is not written for; the other
 * compilers check for it.
 */
#ifndef NKA_PRIVATE_H
#define NKA_PRIVATE_H

#if RD_KAFKA_VERSION != 0x020f01ff
#error "the C files were reviewed against librdkafka 2.15.1 only: see docs/internal/librdkafka.md"
#endif

#if defined(_MSC_VER) && !defined(__clang__)
#define NKA_JOIN2(a, b) a##b
#define NKA_JOIN(a, b) NKA_JOIN2(a, b)
#define NKA_ASSERT(condition, text) typedef char NKA_JOIN(nka_assert_, __LINE__)[(condition) ? 1 : -1]
#define NKA_FIELD(structure, field, type) NKA_ASSERT(sizeof(((structure *)0)->field) == sizeof(type), "")
#define NKA_FUNCTION(function, type) NKA_ASSERT(sizeof(&(function)) == sizeof(type), "")
#else
#define NKA_ASSERT(condition, text) _Static_assert(condition, text)
/* The field has this type, apart from qualifiers. */
#define NKA_FIELD(structure, field, type)                                                                    \
        _Static_assert(_Generic(&((structure *)0)->field, type *: 1, default: 0),                            \
                       #structure "." #field " is no " #type " any more")
/* The function has this signature, given as a pointer to it. */
#define NKA_FUNCTION(function, type)                                                                         \
        _Static_assert(_Generic(&(function), type: 1, default: 0), #function "() has another signature now")
#endif

#endif
