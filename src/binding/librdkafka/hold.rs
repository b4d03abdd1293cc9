//! Holding librdkafka's broker threads back while a chunk of records is queued; see `hold.c`.

use std::ffi::c_int;
use std::sync::Arc;

use rdkafka_sys as sys;

use super::Topic;

unsafe extern "C" {
    fn nka_topic_hold(topic: *mut sys::rd_kafka_topic_t) -> c_int;
    fn nka_topic_release(topic: *mut sys::rd_kafka_topic_t);
}

/// The topics of the chunk that is being queued. Their broker threads are woken when this is dropped, or
/// [`HeldTopics::release`] is called.
#[derive(Default)]
pub struct HeldTopics {
    /// And whether they could be held.
    topics: Vec<(Arc<Topic>, bool)>,
}

impl HeldTopics {
    /// The topic's next records wake nobody. Costs little more than a look when it is held already.
    pub fn hold(&mut self, topic: &Arc<Topic>) {
        if self.topics.iter().any(|(held, _)| Arc::ptr_eq(held, topic)) {
            return;
        }
        // SAFETY: the topic is alive, and kept until it is released.
        let held = unsafe { nka_topic_hold(topic.as_ptr()) } != 0;
        self.topics.push((Arc::clone(topic), held));
    }

    /// Wakes the broker threads: what is queued leaves.
    pub fn release(&mut self) {
        for (topic, held) in self.topics.drain(..) {
            if held {
                // SAFETY: the topic is alive, and was held.
                unsafe { nka_topic_release(topic.as_ptr()) };
            }
        }
    }
}

impl Drop for HeldTopics {
    fn drop(&mut self) {
        self.release();
    }
}
