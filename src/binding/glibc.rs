//! Binds what glibc moved or renewed after 2.28 to the versions that 2.28 has, so that a binary linked on any newer
//! system loads wherever Node.js 20 itself does.
//!
//! A linker takes a symbol in the newest version of the system it runs on: `pthread_create` as of 2.34, only because
//! that release moved it from libpthread into libc. Every glibc still has the old versions, for old programs. Each symbol
//! below is defined here, hidden from others, as a jump to an old version; references from Rust's standard library, librdkafka
//! and OpenSSL alike then end here. The jumps leave arguments, stack and return address as they are. Node.js is linked with
//! libpthread, libdl and libm, where an old glibc has these symbols.
//!
//! `npm run check` compares the binary with 2.28 (`scripts/glibc.mjs`) and names symbols that are missing here. Other systems
//! need none of this: aarch64 is published from a build on glibc 2.28, and musl has no versions.

use core::arch::global_asm;

/// Defines a hidden symbol as some instructions and a jump to a symbol in an older version.
macro_rules! define {
    ($symbol:ident as $older:ident, $version:literal $(, $instruction:literal)*) => {
        global_asm!(
            concat!(".symver older_", stringify!($symbol), ", ", stringify!($older), "@GLIBC_", $version),
            concat!(".globl ", stringify!($symbol)),
            concat!(".hidden ", stringify!($symbol)),
            concat!(".type ", stringify!($symbol), ", @function"),
            concat!(stringify!($symbol), ":"),
            $($instruction,)*
            concat!("jmp *older_", stringify!($symbol), "@GOTPCREL(%rip)"),
            options(att_syntax)
        );
    };
}

/// Symbols that have an older version of their own.
macro_rules! older {
    ($version:literal: $($symbol:ident)+) => { $(define!($symbol as $symbol, $version);)+ };
}

/// `stat` and its like were functions of the header before 2.33. What is exported is the function that they called, with the
/// version of the structure (1 on `x86_64`) before their own two arguments.
macro_rules! stat {
    ($($symbol:ident: $exported:ident)+) => {
        $(define!($symbol as $exported, "2.2.5", "movq %rsi, %rdx", "movq %rdi, %rsi", "movl $1, %edi");)+
    };
}

/// What the headers of 2.38 call under a new name, only to read binary numbers too.
macro_rules! renamed {
    ($($symbol:ident: $older:ident)+) => { $(define!($symbol as $older, "2.2.5");)+ };
}

older! { "2.2.5": dladdr dlclose dlerror dlopen dlsym }
older! { "2.2.5": log2 pow }
older! { "2.2.5":
    pthread_attr_getguardsize pthread_attr_getstack pthread_attr_setstacksize pthread_create pthread_detach
    pthread_getattr_np pthread_getspecific pthread_join pthread_key_create pthread_key_delete pthread_kill pthread_once
    pthread_rwlock_destroy pthread_rwlock_init pthread_rwlock_rdlock pthread_rwlock_unlock pthread_rwlock_wrlock
    pthread_setspecific pthread_sigmask
}
older! { "2.12": pthread_setname_np }
older! { "2.28":
    call_once cnd_broadcast cnd_destroy cnd_init cnd_signal cnd_timedwait cnd_wait
    mtx_destroy mtx_init mtx_lock mtx_unlock thrd_create thrd_join
}
renamed! {
    __isoc23_sscanf: sscanf __isoc23_strtol: strtol __isoc23_strtoul: strtoul
    __isoc23_strtoll: strtoll __isoc23_strtoull: strtoull
}
stat! { stat: __xstat stat64: __xstat64 fstat: __fxstat fstat64: __fxstat64 }

// Rust's standard library asks for it weakly, but a weak reference still demands the version: 2.30. It is a bare system call.
global_asm!(
    ".globl gettid",
    ".hidden gettid",
    ".type gettid, @function",
    "gettid:",
    "movl $186, %eax",
    "syscall",
    "ret",
    options(att_syntax)
);
