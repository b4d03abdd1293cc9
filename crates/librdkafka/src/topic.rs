//! Topics of a client: settings, and the choice of partitions.

use std::ffi::{c_char, c_int};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use rdkafka_sys as sys;

use kafka_core::error::{CODE_INVALID_ARG, Error, Result};
use kafka_core::kafka::ProducerTopic;

use super::conf::ERROR_TEXT_SIZE;
use super::private::{self, Shim};
use super::{Handle, c_text, describe, owned_text};

/// librdkafka's `RD_KAFKA_PARTITION_UA`: the partitioner chooses.
pub(super) const PARTITION_UNASSIGNED: i32 = -1;

// See hold.c and next_partition.c.
unsafe extern "C" {
    fn nka_next_partition(topic: *mut sys::rd_kafka_topic_t, last: i32) -> i32;
    fn nka_topic_hold(topic: *mut sys::rd_kafka_topic_t) -> c_int;
    fn nka_topic_release(topic: *mut sys::rd_kafka_topic_t);
}

impl Handle {
    /// The settings of a topic with its own compression codec.
    fn compressed(&self, codec: &str) -> Result<*mut sys::rd_kafka_topic_conf_t> {
        const OPERATION: &str = "choose a topic's compression";
        let codec = c_text(OPERATION, codec)?;
        let mut text = [0 as c_char; ERROR_TEXT_SIZE];
        // SAFETY: the handle is alive; the copy of its settings is owned by this call until the topic takes it
        // over; the strings are NUL-terminated and copied, the buffer's size is passed along.
        unsafe {
            let conf = sys::rd_kafka_default_topic_conf_dup(self.as_ptr());
            let name = c"compression.codec".as_ptr();
            let result =
                sys::rd_kafka_topic_conf_set(conf, name, codec.as_ptr(), text.as_mut_ptr(), ERROR_TEXT_SIZE);
            if result != sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK {
                sys::rd_kafka_topic_conf_destroy(conf);
                return Err(Error::new(OPERATION, CODE_INVALID_ARG, owned_text(text.as_ptr())));
            }
            Ok(conf)
        }
    }

    /// `conf` is null or owned by the caller, who gives it away.
    pub(super) fn open_topic(&self, topic: &str, conf: *mut sys::rd_kafka_topic_conf_t) -> Result<RawTopic> {
        let name = c_text("open a topic", topic)?;
        // SAFETY: the handle is alive, the name NUL-terminated and copied; the settings are taken over.
        let raw = unsafe { sys::rd_kafka_topic_new(self.as_ptr(), name.as_ptr(), conf) };
        if raw.is_null() {
            // SAFETY: reads the thread's last error.
            let code = unsafe { sys::rd_kafka_last_error() };
            return Err(Error::new("open a topic", code as i32, describe(code)));
        }
        Ok(RawTopic(raw))
    }
}

/// An owned reference to an `rd_kafka_topic_t`, whose owner keeps the handle for longer.
pub(super) struct RawTopic(*mut sys::rd_kafka_topic_t);

// SAFETY: librdkafka's topic objects are thread-safe.
unsafe impl Send for RawTopic {}
// SAFETY: as above.
unsafe impl Sync for RawTopic {}

impl RawTopic {
    pub(super) fn as_ptr(&self) -> *mut sys::rd_kafka_topic_t {
        self.0
    }
}

impl Drop for RawTopic {
    fn drop(&mut self) {
        // SAFETY: gives this value's reference back, while its owner has the handle.
        unsafe { sys::rd_kafka_topic_destroy(self.0) };
    }
}

/// A topic of a producer.
pub struct Topic {
    raw: RawTopic,
    /// Dropped after the topic, which lies in its client.
    handle: Arc<Handle>,
    /// See [`ProducerTopic::next_partition`].
    last_partition: AtomicI32,
}

impl Topic {
    /// A topic of a producer, with its own compression codec if one is given.
    pub(super) fn open(handle: &Arc<Handle>, name: &str, compression: Option<&str>) -> Result<Self> {
        let conf = compression.map(|codec| handle.compressed(codec)).transpose()?;
        let raw = handle.open_topic(name, conf.unwrap_or(std::ptr::null_mut()))?;
        private::check_topic(handle.as_ptr(), raw.as_ptr())?;
        let last_partition = AtomicI32::new(PARTITION_UNASSIGNED);
        Ok(Self { raw, handle: Arc::clone(handle), last_partition })
    }

    /// Whether it is a topic of this client.
    pub(super) fn is_of(&self, handle: &Arc<Handle>) -> bool {
        Arc::ptr_eq(&self.handle, handle)
    }

    pub(super) fn as_ptr(&self) -> *mut sys::rd_kafka_topic_t {
        self.raw.as_ptr()
    }
}

impl ProducerTopic for Topic {
    fn next_partition(&self) -> Option<i32> {
        if !Shim::NextPartition.is_on() {
            return None;
        }
        let last = self.last_partition.load(Ordering::Relaxed);
        // SAFETY: the topic is alive.
        let next = unsafe { nka_next_partition(self.raw.0, last) };
        // Not atomic with the read: two threads with the same value only make the turns slightly uneven.
        self.last_partition.store(next, Ordering::Relaxed);
        (next != PARTITION_UNASSIGNED).then_some(next)
    }

    fn hold(&self) -> bool {
        // SAFETY: the topic is alive.
        Shim::Hold.is_on() && unsafe { nka_topic_hold(self.raw.0) != 0 }
    }

    fn release(&self) {
        // SAFETY: the topic is alive.
        unsafe { nka_topic_release(self.raw.0) };
    }
}
