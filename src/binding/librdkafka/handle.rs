//! One librdkafka client instance.

use std::ffi::{CString, c_char};
use std::sync::Arc;

use rdkafka_sys as sys;
use tokio::sync::watch;

use super::conf::{Conf, ERROR_TEXT_SIZE};
use super::message::Message;
use super::partitions::{Partition, PartitionList};
use super::{Queue, check, take_error};
use crate::assignor::{self, Assignor, AssignorError, JoinWatch, Joins};
use crate::error::{CODE_AUTHENTICATION, CODE_INVALID_ARG, Error, Result};
use crate::network::Network;

unsafe extern "C" {
    // See fetcher.c.
    fn nka_fetched(rk: *mut sys::rd_kafka_t, topic: *const c_char, partition: i32) -> i64;
    fn nka_allow_seek(rk: *mut sys::rd_kafka_t, topic: *const c_char, partition: i32);
}

/// An `rd_kafka_t`, destroyed when the last owner lets go.
pub struct Handle {
    raw: *mut sys::rd_kafka_t,
    consumer: bool,
    /// What the interceptors of the handle write to.
    _network: Option<Arc<Network>>,
    joins: Option<Joins>,
    /// What librdkafka says of credentials that a broker has refused.
    refusal: watch::Sender<Option<String>>,
    /// Whether the client is being closed.
    closing: watch::Sender<bool>,
}

// SAFETY: librdkafka's handles are thread-safe.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    /// Makes a producer, whose requests are reported to `network`.
    pub fn producer(conf: Conf, network: Arc<Network>) -> Result<Arc<Self>> {
        // SAFETY: the handle keeps the network.
        unsafe { conf.observe(&network)? };
        conf.shape_records()?;
        Self::create(sys::rd_kafka_type_t::RD_KAFKA_PRODUCER, conf, Some(network), None)
    }

    /// Makes a client for admin requests, whose requests are reported to `network`: a consumer that joins no group.
    ///
    /// A producer would do but for one thing: when the broker that is asked for a group's offsets is not its coordinator
    /// (any more, or yet), librdkafka looks for the coordinator of the client's own group, and crashes where there is none.
    pub fn admin(conf: Conf, network: Arc<Network>) -> Result<Arc<Self>> {
        // SAFETY: the handle keeps the network.
        unsafe { conf.observe(&network)? };
        let handle = Self::create(sys::rd_kafka_type_t::RD_KAFKA_CONSUMER, conf, Some(network), None)?;
        // SAFETY: the handle is alive.
        check("create the admin client", unsafe { sys::rd_kafka_poll_set_consumer(handle.raw) })?;
        Ok(handle)
    }

    /// Makes a consumer whose events and errors all arrive on its consumer queue. Its group is joined with
    /// these assignors, or, when there are none, with those of `partition.assignment.strategy`; `watch` learns how. Its
    /// requests are reported to `network`.
    pub fn consumer(
        conf: Conf,
        assignors: Vec<Arc<dyn Assignor>>,
        watch: Arc<dyn JoinWatch>,
        network: Arc<Network>,
    ) -> Result<Arc<Self>> {
        let refused = |e: AssignorError| Error::new("install the assignors", CODE_INVALID_ARG, e.to_string());
        // SAFETY: the handle keeps the network.
        unsafe { conf.observe(&network)? };
        // SAFETY: the configuration is alive, prepared once, and given to rd_kafka_new next.
        let hook = unsafe { assignor::prepare(conf.as_ptr(), watch) }.map_err(refused)?;
        let joins = hook.joins();
        let handle = Self::create(sys::rd_kafka_type_t::RD_KAFKA_CONSUMER, conf, Some(network), Some(joins))?;
        if !assignors.is_empty() {
            // SAFETY: the handle was made from the prepared configuration and has not subscribed.
            unsafe { hook.register(handle.raw, assignors) }.map_err(refused)?;
        }
        // SAFETY: the handle is alive.
        check("create the consumer", unsafe { sys::rd_kafka_poll_set_consumer(handle.raw) })?;
        Ok(handle)
    }

    fn create(
        kind: sys::rd_kafka_type_t,
        conf: Conf,
        network: Option<Arc<Network>>,
        joins: Option<Joins>,
    ) -> Result<Arc<Self>> {
        let mut text = [0 as c_char; ERROR_TEXT_SIZE];
        let consumer = kind == sys::rd_kafka_type_t::RD_KAFKA_CONSUMER;
        let conf_raw = conf.into_raw();
        // SAFETY: takes the configuration over when it succeeds; the buffer's size is passed along.
        let raw = unsafe { sys::rd_kafka_new(kind, conf_raw, text.as_mut_ptr(), ERROR_TEXT_SIZE) };
        if raw.is_null() {
            // The configuration is leaked: rd_kafka_new has freed the interceptor lists that it shares with it,
            // so destroying it would read freed memory. A process makes few such mistakes.
            // SAFETY: librdkafka NUL-terminates what it writes.
            let message = unsafe { super::owned_text(text.as_ptr()) };
            return Err(Error::new("create the client", CODE_INVALID_ARG, message));
        }
        // With `log.queue` the log goes to the main queue (a consumer's is forwarded to its consumer queue).
        // SAFETY: the handle is alive; null means the main queue.
        unsafe { sys::rd_kafka_set_log_queue(raw, std::ptr::null_mut()) };
        // The Arc is shared with queues and threads; the handle itself is Send + Sync by librdkafka's promise.
        let (refusal, closing) = (watch::Sender::default(), watch::Sender::default());
        Ok(Arc::new(Self { raw, consumer, _network: network, joins, refusal, closing }))
    }

    /// The raw handle, for the assignor's hook and for producing.
    pub(crate) fn as_ptr(&self) -> *mut sys::rd_kafka_t {
        self.raw
    }

    /// The queue of everything but records.
    #[must_use]
    pub fn event_queue(self: &Arc<Self>) -> Queue {
        if self.consumer { self.consumer_queue() } else { self.main_queue() }
    }

    /// The queue of delivery reports, errors and logs.
    #[must_use]
    pub fn main_queue(self: &Arc<Self>) -> Queue {
        // SAFETY: the handle is alive and the reference is given to the Queue.
        unsafe { Queue::new(sys::rd_kafka_queue_get_main(self.raw), Arc::clone(self)) }
    }

    /// A consumer's queue: rebalances, commits, errors, and the records of partitions not split off.
    #[must_use]
    pub fn consumer_queue(self: &Arc<Self>) -> Queue {
        // SAFETY: as for the main queue.
        unsafe { Queue::new(sys::rd_kafka_queue_get_consumer(self.raw), Arc::clone(self)) }
    }

    /// The queue of one partition's records.
    pub fn partition_queue(self: &Arc<Self>, topic: &str, partition: i32) -> Result<Queue> {
        let name = c_name("split off a partition", topic)?;
        // SAFETY: the handle is alive, the name NUL-terminated; the reference is given to the Queue.
        unsafe {
            let raw = sys::rd_kafka_queue_get_partition(self.raw, name.as_ptr(), partition);
            if raw.is_null() {
                return Err(Error::state(
                    "split off a partition",
                    format!("{topic} [{partition}] is not known"),
                ));
            }
            Ok(Queue::new(raw, Arc::clone(self)))
        }
    }

    /// A temporary queue, for the answer to one request.
    #[must_use]
    pub fn new_queue(self: &Arc<Self>) -> Queue {
        // SAFETY: the handle is alive; the reference is given to the Queue.
        unsafe { Queue::new(sys::rd_kafka_queue_new(self.raw), Arc::clone(self)) }
    }

    /// Subscribes to topics by name.
    pub fn subscribe(&self, topics: &[String]) -> Result<()> {
        let list = PartitionList::new(&topics.iter().map(|t| Partition::at(t, -1, 0)).collect::<Vec<_>>());
        // SAFETY: handle and list are alive; the list is copied.
        check("subscribe", unsafe { sys::rd_kafka_subscribe(self.raw, list.as_ptr()) })
    }

    /// Adds brokers to connect to, as `host:port` separated by commas.
    pub fn add_brokers(&self, brokers: &str) -> Result<()> {
        const OPERATION: &str = "add brokers";
        let list = CString::new(brokers)
            .map_err(|_| Error::new(OPERATION, CODE_INVALID_ARG, "an address may not contain a zero byte"))?;
        // SAFETY: the handle is alive, the list NUL-terminated; it is copied.
        let added = unsafe { sys::rd_kafka_brokers_add(self.raw, list.as_ptr()) };
        if added == 0 {
            return Err(Error::new(OPERATION, CODE_INVALID_ARG, format!("no address in {brokers:?}")));
        }
        Ok(())
    }

    /// Starts fetching exactly these partitions; answers a rebalance event.
    pub fn assign(&self, partitions: &[Partition]) -> Result<()> {
        let list = PartitionList::new(partitions);
        // SAFETY: handle and list are alive; the list is copied.
        check("assign partitions", unsafe { sys::rd_kafka_assign(self.raw, list.as_ptr()) })
    }

    /// Gives all partitions up; answers a rebalance event.
    pub fn unassign(&self) -> Result<()> {
        // SAFETY: the handle is alive; a null list takes everything away.
        check("give partitions up", unsafe { sys::rd_kafka_assign(self.raw, std::ptr::null()) })
    }

    /// Whether the group moves single partitions (KIP-429, KIP-848), whose rebalance events are answered with
    /// [`Handle::assign_more`] and [`Handle::unassign_some`], or always all of them.
    #[must_use]
    pub fn rebalances_incrementally(&self) -> bool {
        // SAFETY: the handle is alive; the string is static, or null while there is no group.
        unsafe { super::owned_text(sys::rd_kafka_rebalance_protocol(self.raw)) == "COOPERATIVE" }
    }

    /// Starts fetching these partitions too; answers an incremental rebalance event.
    pub fn assign_more(&self, partitions: &[Partition]) -> Result<()> {
        let list = PartitionList::new(partitions);
        // SAFETY: handle and list are alive; the list is copied; the error object is owned by the caller.
        unsafe { take_error("assign partitions", sys::rd_kafka_incremental_assign(self.raw, list.as_ptr())) }
    }

    /// Gives these partitions up; answers an incremental rebalance event.
    pub fn unassign_some(&self, partitions: &[Partition]) -> Result<()> {
        let list = PartitionList::new(partitions);
        // SAFETY: as above.
        unsafe {
            take_error("give partitions up", sys::rd_kafka_incremental_unassign(self.raw, list.as_ptr()))
        }
    }

    /// The partitions that this consumer has at this moment. Asks librdkafka's main thread.
    pub fn assignment(&self) -> Result<Vec<Partition>> {
        let mut list = std::ptr::null_mut();
        // SAFETY: the handle is alive, the out parameter writable; on success the list is owned by the caller, who copies
        // and frees it.
        unsafe {
            check("read the assignment", sys::rd_kafka_assignment(self.raw, &raw mut list))?;
            let partitions = super::partitions::copy_list(list);
            sys::rd_kafka_topic_partition_list_destroy(list);
            Ok(partitions)
        }
    }

    /// Whether the group has already given this member's partitions to others.
    #[must_use]
    pub fn assignment_lost(&self) -> bool {
        // SAFETY: the handle is alive.
        unsafe { sys::rd_kafka_assignment_lost(self.raw) != 0 }
    }

    /// Asks for committed offsets; partitions without one come back with [`super::OFFSET_INVALID`].
    pub fn committed(&self, partitions: &[Partition], timeout_ms: i32) -> Result<Vec<Partition>> {
        let list = PartitionList::new(partitions);
        // SAFETY: handle and list are alive; the list is filled in.
        check("fetch committed offsets", unsafe {
            sys::rd_kafka_committed(self.raw, list.as_ptr(), timeout_ms)
        })?;
        Ok(list.to_vec())
    }

    /// Resolves timestamps, or the logical offsets beginning and end, to absolute offsets.
    pub fn resolve_offsets(&self, partitions: &[Partition], timeout_ms: i32) -> Result<Vec<Partition>> {
        let list = PartitionList::new(partitions);
        // SAFETY: handle and list are alive; the list is filled in.
        check("list offsets", unsafe {
            sys::rd_kafka_offsets_for_times(self.raw, list.as_ptr(), timeout_ms)
        })?;
        Ok(list.to_vec())
    }

    /// The offset after the last record of a message's partition, as the last response to a fetch said; -1 when it
    /// is not known. Asks nobody.
    #[must_use]
    pub fn high_watermark(&self, message: &Message<'_>) -> i64 {
        let (mut low, mut high) = (-1, -1);
        let topic = message.topic_ptr();
        if topic.is_null() {
            return -1;
        }
        // SAFETY: handle and message are alive, and so is the topic's name; the out parameters are writable.
        let code = unsafe {
            let name = sys::rd_kafka_topic_name(topic);
            sys::rd_kafka_get_watermark_offsets(
                self.raw,
                name,
                message.partition(),
                &raw mut low,
                &raw mut high,
            )
        };
        if code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR { high } else { -1 }
    }

    /// The offset before which everything of an assigned partition was fetched, and put into its queue. Nothing while that is
    /// not known, as after a seek. Asks nobody.
    #[must_use]
    pub fn fetched(&self, topic: &str, partition: i32) -> Option<i64> {
        let name = CString::new(topic).ok()?;
        // SAFETY: the handle is alive, the name NUL-terminated.
        let offset = unsafe { nka_fetched(self.raw, name.as_ptr(), partition) };
        (offset >= 0).then_some(offset)
    }

    /// Moves the position of assigned partitions, waiting at most `timeout_ms` for it to take effect. Those that are
    /// fetched no more, because their log does not have the position, are fetched again.
    pub fn seek(&self, partitions: &[Partition], timeout_ms: i32) -> Result<Vec<Partition>> {
        for p in partitions {
            let name = c_name("seek", &p.topic)?;
            // SAFETY: the handle is alive, the name NUL-terminated.
            unsafe { nka_allow_seek(self.raw, name.as_ptr(), p.partition) };
        }
        let list = PartitionList::new(partitions);
        // SAFETY: handle and list are alive; the error object is owned by the caller.
        unsafe {
            take_error("seek", sys::rd_kafka_seek_partitions(self.raw, list.as_ptr(), timeout_ms))?;
        }
        Ok(list.to_vec())
    }

    /// Notes offsets for the next automatic commit; those of partitions that are not assigned are left out.
    pub fn store_offsets(&self, offsets: &[Partition]) {
        if offsets.is_empty() {
            return;
        }
        let list = PartitionList::new(offsets);
        // SAFETY: handle and list are alive. What could not be stored is committed by the next owner.
        let _ = unsafe { sys::rd_kafka_offsets_store(self.raw, list.as_ptr()) };
    }

    /// Starts a commit; its answer arrives on `queue` with `id`.
    pub fn commit(&self, offsets: &[Partition], queue: &Queue, id: u64) -> Result<()> {
        let list = PartitionList::new(offsets);
        // SAFETY: handle, list and queue are alive; without a callback the answer is an event, whose opaque
        // is a number and not a pointer.
        check("commit offsets", unsafe {
            sys::rd_kafka_commit_queue(self.raw, list.as_ptr(), queue.as_ptr(), None, id as *mut _)
        })
    }

    /// Starts leaving the group and closing; rebalance events arrive on `queue` until [`Handle::closed`].
    pub fn start_close(&self, queue: &Queue) -> Result<()> {
        // SAFETY: handle and queue are alive; the error object is owned by the caller.
        unsafe { take_error("close", sys::rd_kafka_consumer_close_queue(self.raw, queue.as_ptr())) }
    }

    /// Whether a consumer has closed.
    #[must_use]
    pub fn closed(&self) -> bool {
        // SAFETY: the handle is alive.
        unsafe { sys::rd_kafka_consumer_closed(self.raw) != 0 }
    }

    /// Lets librdkafka have the `JoinGroup` response that is held, if there is one; see [`Joins::let_go`].
    pub fn let_joins_go(&self, for_good: bool) {
        if let Some(joins) = &self.joins {
            // SAFETY: the handle is alive.
            unsafe { joins.let_go(for_good) };
        }
    }

    /// The id that the group's coordinator gave this member; empty before the join.
    #[must_use]
    pub fn member_id(&self) -> String {
        // SAFETY: the handle is alive; the string is allocated for the caller.
        unsafe { self.take_text(sys::rd_kafka_memberid(self.raw)) }.unwrap_or_default()
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

    /// Records queued or in flight.
    #[must_use]
    pub fn out_queue_length(&self) -> i32 {
        // SAFETY: the handle is alive.
        unsafe { sys::rd_kafka_outq_len(self.raw) }
    }

    /// Drops what has not been sent; delivery reports come with the error "purged".
    pub fn purge(&self) {
        // SAFETY: the handle is alive. The result only says whether the handle is a producer.
        let _ = unsafe {
            sys::rd_kafka_purge(self.raw, sys::RD_KAFKA_PURGE_F_QUEUE | sys::RD_KAFKA_PURGE_F_INFLIGHT)
        };
    }

    /// Remembers an error event, as far as somebody waits for one like it.
    pub fn note_error(&self, code: i32, text: &str) {
        if code == CODE_AUTHENTICATION {
            self.refusal.send_replace(Some(text.to_owned()));
        }
    }

    /// Resolves with librdkafka's words when a broker has refused the credentials, or there are none to show it.
    pub async fn refused(&self) -> String {
        let mut refusal = self.refusal.subscribe();
        // The sender is the handle's own: it does not go away before.
        let text = refusal.wait_for(Option::is_some).await.ok().and_then(|text| text.clone());
        text.unwrap_or_default()
    }

    /// The client is being closed: nobody waits for its requests any more.
    pub fn note_closing(&self) {
        self.closing.send_replace(true);
    }

    /// Resolves when the client is being closed.
    pub async fn closing(&self) {
        // The sender is the handle's own: it does not go away before.
        let _ = self.closing.subscribe().wait_for(|closing| *closing).await;
    }

    /// The first fatal error, if there was one.
    #[must_use]
    pub fn fatal_error(&self) -> Option<(i32, String)> {
        let mut text = [0 as c_char; ERROR_TEXT_SIZE];
        // SAFETY: the handle is alive; the buffer's size is passed along.
        let code = unsafe { sys::rd_kafka_fatal_error(self.raw, text.as_mut_ptr(), ERROR_TEXT_SIZE) };
        // SAFETY: librdkafka NUL-terminates what it writes.
        (code as i32 != 0).then(|| (code as i32, unsafe { super::owned_text(text.as_ptr()) }))
    }
}

/// A topic name for C.
pub(super) fn c_name(operation: &'static str, topic: &str) -> Result<CString> {
    CString::new(topic)
        .map_err(|_| Error::new(operation, CODE_INVALID_ARG, "a topic name may not contain a zero byte"))
}

impl Drop for Handle {
    fn drop(&mut self) {
        // A consumer that closed in time has left its group; one that could not (the broker is gone) must not
        // try again here, because destroying would then wait for it.
        self.let_joins_go(true);
        let flags = if self.consumer { sys::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE } else { 0 };
        // SAFETY: the last owner: no queue, message or thread uses the handle any more.
        unsafe { sys::rd_kafka_destroy_flags(self.raw, flags) };
    }
}
