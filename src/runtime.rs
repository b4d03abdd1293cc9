//! The Tokio runtime behind the promises of the binding.

use napi_derive::module_init;

/// How many calls may block at once. Admin requests get a part of them (`kafka_core::admin`), so that what connects and transactions have
/// threads even while clusters hang that others are asked of.
const BLOCKING: usize = 512;

/// One worker: the runtime only waits (for the poll threads' answers and for time-outs). Blocking calls have
/// threads of their own, which end when idle.
#[module_init]
fn start() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(BLOCKING)
        .thread_name("kafka-control")
        .enable_time()
        .build();
    // If this fails, napi creates its own runtime, which only has more threads.
    if let Ok(runtime) = runtime {
        napi::bindgen_prelude::create_custom_tokio_runtime(runtime);
    }
}
