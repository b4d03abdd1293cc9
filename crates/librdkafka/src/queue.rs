//! Event and message queues.

use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka_sys as sys;

use kafka_core::kafka::Wake;

use super::event::RawEvent;
use super::{Handle, Messages};

/// One queue of a handle.
pub(super) struct Queue {
    raw: *mut sys::rd_kafka_queue_t,
    /// The box that the C callback reads; freed after the callback was removed.
    waker: Mutex<Option<Box<Arc<dyn Wake>>>>,
    /// Keeps the handle alive, which owns the queue's memory.
    handle: Arc<Handle>,
}

// SAFETY: librdkafka's queues are thread-safe.
unsafe impl Send for Queue {}
// SAFETY: as above; what takes `&self` only calls thread-safe functions.
unsafe impl Sync for Queue {}

impl Queue {
    /// Takes over a queue reference.
    ///
    /// # Safety
    /// `raw` is a queue of `handle` whose reference the caller gives away.
    pub(super) unsafe fn new(raw: *mut sys::rd_kafka_queue_t, handle: Arc<Handle>) -> Self {
        Self { raw, waker: Mutex::default(), handle }
    }

    pub(super) fn as_ptr(&self) -> *mut sys::rd_kafka_queue_t {
        self.raw
    }

    /// Ends the forwarding of a partition's queue into the consumer's, so that it can be read by itself.
    pub(super) fn stop_forwarding(&self) {
        // SAFETY: the queue is alive; a null destination removes the forwarding.
        unsafe { sys::rd_kafka_queue_forward(self.raw, std::ptr::null_mut()) };
    }

    /// The handle that it belongs to.
    pub(super) fn handle(&self) -> &Arc<Handle> {
        &self.handle
    }

    /// Calls `waker` each time the queue turns non-empty, in place of an earlier one.
    pub(super) fn on_ready(&self, waker: Arc<dyn Wake>) {
        let mut current = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        self.clear_waker(&mut current);
        let boxed = Box::new(waker);
        let opaque: *const Arc<dyn Wake> = &raw const *boxed;
        *current = Some(boxed);
        // SAFETY: the box stays alive and in place until the callback is removed in `clear_waker`.
        unsafe {
            sys::rd_kafka_queue_cb_event_enable(self.raw, Some(ready), opaque.cast_mut().cast::<c_void>());
        };
    }

    fn clear_waker(&self, current: &mut Option<Box<Arc<dyn Wake>>>) {
        if current.is_some() {
            // SAFETY: the queue is alive. librdkafka sets and calls the callback under the queue's lock, so
            // none runs any more when this returns.
            unsafe { sys::rd_kafka_queue_cb_event_enable(self.raw, None, std::ptr::null_mut()) };
            *current = None;
        }
    }

    /// The next event, if there is one now.
    pub(super) fn poll(&self) -> Option<RawEvent> {
        // SAFETY: the queue is alive; the returned event is owned by the caller.
        unsafe { RawEvent::new(sys::rd_kafka_queue_poll(self.raw, 0)) }
    }

    /// Whether there is nothing in it now.
    pub(super) fn is_empty(&self) -> bool {
        // SAFETY: the queue is alive.
        unsafe { sys::rd_kafka_queue_length(self.raw) == 0 }
    }

    /// Up to `limit` records that are there now; never waits.
    pub(super) fn consume(&self, limit: usize) -> Messages {
        let mut raw: Vec<*mut sys::rd_kafka_message_t> = Vec::with_capacity(limit);
        // SAFETY: the queue is alive; the array has room for `limit` pointers, of which librdkafka fills the
        // returned number; each is owned by the caller.
        unsafe {
            let count = sys::rd_kafka_consume_batch_queue(self.raw, 0, raw.as_mut_ptr(), limit);
            raw.set_len(count.max(0) as usize);
        }
        Messages::new(raw)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let mut current = std::mem::take(self.waker.get_mut().unwrap_or_else(PoisonError::into_inner));
        self.clear_waker(&mut current);
        // SAFETY: gives this value's reference back.
        unsafe { sys::rd_kafka_queue_destroy(self.raw) };
    }
}

unsafe extern "C" fn ready(_rk: *mut sys::rd_kafka_t, opaque: *mut c_void) {
    // SAFETY: `opaque` is the box set in `on_ready`, which outlives the registration.
    let waker = unsafe { &*opaque.cast::<Arc<dyn Wake>>() };
    // A panic must not unwind into C; wakers only take a lock and set a flag.
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| waker.wake()));
}
