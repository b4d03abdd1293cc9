//! One librdkafka client instance.

use std::ffi::{CStr, CString, c_char};
use std::sync::Arc;
use std::time::Duration;

use rdkafka_sys as sys;

use kafka_core::error::{CODE_INVALID_ARG, Error, Result};
use kafka_core::kafka::{Client, Connection, Group, Metadata, Outcome, Scope, TopicPartition};
use kafka_core::request_events::RequestEvents;

use super::admin::{AdminOptions, NewTopic};
use super::assignor::Joins;
use super::conf::{Conf, ERROR_TEXT_SIZE};
use super::partition_list::PartitionList;
use super::queue::Queue;
use super::{c_text, check, describe_code, private};

/// An `rd_kafka_t`, destroyed with its last owner. It is part of a [`ConsumerHandle`](super::ConsumerHandle),
/// [`ProducerHandle`](super::ProducerHandle) or [`AdminHandle`](super::AdminHandle). Admin requests can be made
/// through any of them.
pub struct Handle {
    raw: *mut sys::rd_kafka_t,
    consumer: bool,
    /// Kept for the handle's interceptors, which write to it.
    _request_events: Arc<RequestEvents>,
    joins: Option<Joins>,
    connection: Connection,
}

// SAFETY: librdkafka's handles are thread-safe.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    /// Makes a handle. `request_events` is what its interceptors write to.
    pub(super) fn create(
        kind: sys::rd_kafka_type_t,
        conf: Conf,
        request_events: Arc<RequestEvents>,
        joins: Option<Joins>,
    ) -> Result<Arc<Self>> {
        let mut text = [0 as c_char; ERROR_TEXT_SIZE];
        let consumer = kind == sys::rd_kafka_type_t::RD_KAFKA_CONSUMER;
        let conf_raw = conf.into_raw();
        // SAFETY: takes the configuration over when it succeeds; the buffer's size is passed along.
        let raw = unsafe { sys::rd_kafka_new(kind, conf_raw, text.as_mut_ptr(), ERROR_TEXT_SIZE) };
        if raw.is_null() {
            // SAFETY: librdkafka NUL-terminates what it writes, and leaves the configuration to the caller.
            let message = unsafe {
                sys::rd_kafka_conf_destroy(conf_raw);
                super::owned_text(text.as_ptr())
            };
            return Err(Error::new("create the client", CODE_INVALID_ARG, message));
        }
        // With `log.queue` the log goes to the main queue (a consumer's is forwarded to its consumer queue).
        // SAFETY: the handle is alive; null means the main queue.
        unsafe { sys::rd_kafka_set_log_queue(raw, std::ptr::null_mut()) };
        // The Arc is shared with queues and threads; the handle itself is Send + Sync by librdkafka's promise.
        let connection = Connection::default();
        let handle = Arc::new(Self { raw, consumer, _request_events: request_events, joins, connection });
        private::check_client(raw)?;
        Ok(handle)
    }

    pub(super) fn as_ptr(&self) -> *mut sys::rd_kafka_t {
        self.raw
    }

    /// The queue of delivery reports, errors and logs.
    pub(super) fn main_queue(self: &Arc<Self>) -> Queue {
        // SAFETY: the handle is alive and the reference is given to the Queue.
        unsafe { Queue::new(sys::rd_kafka_queue_get_main(self.raw), Arc::clone(self)) }
    }

    /// A consumer's queue: rebalances, commits, errors, and the records of partitions without a queue of their own.
    pub(super) fn consumer_queue(self: &Arc<Self>) -> Queue {
        // SAFETY: as for the main queue.
        unsafe { Queue::new(sys::rd_kafka_queue_get_consumer(self.raw), Arc::clone(self)) }
    }

    /// Adds brokers to connect to, as `host:port` separated by commas.
    pub fn add_brokers(&self, brokers: &str) -> Result<()> {
        const OPERATION: &str = "add brokers";
        let list = c_text(OPERATION, brokers)?;
        // SAFETY: the handle is alive, the list NUL-terminated; it is copied.
        let added = unsafe { sys::rd_kafka_brokers_add(self.raw, list.as_ptr()) };
        if added == 0 {
            return Err(Error::new(OPERATION, CODE_INVALID_ARG, format!("no address in {brokers:?}")));
        }
        Ok(())
    }

    /// Passes the held `JoinGroup` response to librdkafka, if there is one; see [`Joins::let_go`].
    pub(super) fn let_joins_go(&self, for_good: bool) {
        if let Some(joins) = &self.joins {
            // SAFETY: the handle is alive.
            unsafe { joins.let_go(for_good) };
        }
    }

    /// Copies and frees a text that librdkafka allocated.
    ///
    /// # Safety
    /// `raw` is null, or owned by the caller and from librdkafka's allocator.
    pub(super) unsafe fn take_text(&self, raw: *mut c_char) -> Option<String> {
        if raw.is_null() {
            return None;
        }
        // SAFETY: not null, NUL-terminated, and not used afterwards.
        unsafe {
            let text = super::owned_text(raw);
            sys::rd_kafka_mem_free(self.raw, raw.cast());
            Some(text)
        }
    }

    /// The offset after a partition's last record, as of the last fetch response; `None` when it is not known. Makes
    /// no request.
    #[must_use]
    pub fn high_watermark(&self, topic: &str, partition: i32) -> Option<i64> {
        self.cached_high_watermark(&CString::new(topic).ok()?, partition)
    }

    pub(super) fn cached_high_watermark(&self, topic: &CStr, partition: i32) -> Option<i64> {
        let (mut low, mut high) = (-1, -1);
        // SAFETY: the handle is alive, the name NUL-terminated; the out parameters are writable.
        let code = unsafe {
            sys::rd_kafka_get_watermark_offsets(
                self.raw,
                topic.as_ptr(),
                partition,
                &raw mut low,
                &raw mut high,
            )
        };
        (code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0).then_some(high)
    }

    /// The controller's id, if it is known within the time limit.
    #[must_use]
    pub fn controller_id(&self, timeout_ms: i32) -> Option<i32> {
        // SAFETY: the handle is alive.
        let id = unsafe { sys::rd_kafka_controllerid(self.as_ptr(), timeout_ms) };
        (id >= 0).then_some(id)
    }
}

impl Client for Handle {
    fn describe(code: i32) -> String {
        describe_code(code)
    }

    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn metadata(&self, scope: Scope<'_>, timeout_ms: i32) -> Result<Metadata> {
        self.fetch_metadata(scope, timeout_ms)
    }

    fn cluster_id(&self, timeout_ms: i32) -> Option<String> {
        // SAFETY: the handle is alive; the text is allocated for the caller.
        unsafe { self.take_text(sys::rd_kafka_clusterid(self.raw, timeout_ms)) }
    }

    fn resolve_offsets(&self, partitions: &[TopicPartition], timeout_ms: i32) -> Result<Vec<TopicPartition>> {
        let list = PartitionList::new(partitions);
        // SAFETY: handle and list are alive; the list is filled in.
        check("list offsets", unsafe {
            sys::rd_kafka_offsets_for_times(self.raw, list.as_ptr(), timeout_ms)
        })?;
        Ok(list.to_vec())
    }

    fn describe_group(&self, group: &str, timeout_ms: i32) -> Result<Group> {
        self.find_group(group, timeout_ms)
    }

    fn create_topics(&self, topics: &[String], timeout_ms: i32) -> Result<Vec<Outcome>> {
        let topics: Vec<_> = topics.iter().map(NewTopic::with_defaults).collect();
        self.create_new_topics(&topics, AdminOptions::within(Duration::from_millis(timeout_ms.max(0) as u64)))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // A consumer that closed in time has left its group. One that could not (the broker is gone) must not try
        // again here, because destroying would wait for it.
        self.let_joins_go(true);
        let flags = if self.consumer { sys::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE } else { 0 };
        // SAFETY: the last owner: no queue, message or thread uses the handle any more.
        unsafe { sys::rd_kafka_destroy_flags(self.raw, flags) };
    }
}
