//! A consumer, and the queues of its partitions.

use std::ffi::{CString, c_char};
use std::sync::Arc;

use rdkafka_sys as sys;

use kafka_core::assignor::{Assignor, JoinWatch};
use kafka_core::error::{CODE_INVALID_ARG, Error, Result};
use kafka_core::kafka::{
    Client, ConsumerClient, DeliveryReport, Event, EventSource, MemberClient, TopicPartition, Wake,
};
use kafka_core::request_events::RequestEvents;

use super::assignor::{self, AssignorError};
use super::partition_list::{PartitionList, copy_list};
use super::private::Shim;
use super::queue::Queue;
use super::reassign::Starts;
use super::{Conf, GroupMetadata, Handle, Messages, c_text, check, owned_text, take_error};

// See fetcher.c.
unsafe extern "C" {
    fn nka_fetched(rk: *mut sys::rd_kafka_t, topic: *const c_char, partition: i32) -> i64;
    fn nka_allow_seek(rk: *mut sys::rd_kafka_t, topic: *const c_char, partition: i32);
}

/// Events that a consumer queues instead of calling back.
const EVENTS: i32 = sys::RD_KAFKA_EVENT_REBALANCE
    | sys::RD_KAFKA_EVENT_OFFSET_COMMIT
    | sys::RD_KAFKA_EVENT_ERROR
    | sys::RD_KAFKA_EVENT_LOG
    | sys::RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH
    | sys::RD_KAFKA_EVENT_STATS;

/// A consumer, and the queue of its events: rebalances, commits, errors.
pub struct ConsumerHandle {
    events: Queue,
    starts: Starts,
}

impl ConsumerHandle {
    /// Makes a consumer. It joins its group with these assignors or, if there are none, with those of
    /// `partition.assignment.strategy`; `watch` is told of the join. Its requests are reported to `request_events`.
    pub fn new(
        conf: Conf,
        assignors: Vec<Arc<dyn Assignor>>,
        watch: Arc<dyn JoinWatch>,
        request_events: Arc<RequestEvents>,
    ) -> Result<Self> {
        let refused = |e: AssignorError| Error::new("install the assignors", CODE_INVALID_ARG, e.to_string());
        conf.set_events(EVENTS);
        // SAFETY: the handle keeps them.
        unsafe { conf.observe(&request_events)? };
        if !Shim::Assignors.is_on() {
            let handle = Handle::create(sys::rd_kafka_type_t::RD_KAFKA_CONSUMER, conf, request_events, None)?;
            // SAFETY: the handle is alive.
            check("create the consumer", unsafe { sys::rd_kafka_poll_set_consumer(handle.as_ptr()) })?;
            return Ok(Self { events: handle.consumer_queue(), starts: Starts::default() });
        }
        // SAFETY: the configuration is alive, prepared once, and given to rd_kafka_new next.
        let hook = unsafe { assignor::prepare(conf.as_ptr(), watch) }.map_err(refused)?;
        let joins = hook.joins();
        let handle =
            Handle::create(sys::rd_kafka_type_t::RD_KAFKA_CONSUMER, conf, request_events, Some(joins))?;
        if !assignors.is_empty() {
            // SAFETY: the handle was made from the prepared configuration and has not subscribed.
            unsafe { hook.register(handle.as_ptr(), assignors) }.map_err(refused)?;
        }
        // SAFETY: the handle is alive.
        check("create the consumer", unsafe { sys::rd_kafka_poll_set_consumer(handle.as_ptr()) })?;
        Ok(Self { events: handle.consumer_queue(), starts: Starts::default() })
    }

    pub(super) fn raw(&self) -> *mut sys::rd_kafka_t {
        self.events.handle().as_ptr()
    }

    pub(super) fn starts(&self) -> &Starts {
        &self.starts
    }

    /// Moves the position of partitions that are fetched; the others have an error in the answer.
    pub(super) fn seek_fetched(
        &self,
        partitions: &[TopicPartition],
        timeout_ms: i32,
    ) -> Result<Vec<TopicPartition>> {
        let list = PartitionList::new(partitions);
        // SAFETY: handle and list are alive; the error object is owned by the caller.
        unsafe {
            take_error("seek", sys::rd_kafka_seek_partitions(self.raw(), list.as_ptr(), timeout_ms))?;
        }
        Ok(list.to_vec())
    }
}

#[cfg(feature = "fault-injection")]
impl ConsumerHandle {
    /// Has librdkafka fetch nothing of what is assigned now, or fetch it again; nobody else is told.
    pub fn hold_fetches(&self, wanted: bool) -> Result<()> {
        let list = PartitionList::new(&self.assignment()?);
        // SAFETY: handle and list are alive; the outcome of each partition is written into the list.
        check("hold the fetches", unsafe {
            if wanted {
                sys::rd_kafka_pause_partitions(self.raw(), list.as_ptr())
            } else {
                sys::rd_kafka_resume_partitions(self.raw(), list.as_ptr())
            }
        })
    }
}

impl EventSource for ConsumerHandle {
    type Client = Handle;

    fn client(&self) -> &Arc<Handle> {
        self.events.handle()
    }

    fn on_event(&self, waker: Arc<dyn Wake>) {
        self.events.on_ready(waker);
    }

    fn poll(&self, _report: impl FnMut(DeliveryReport)) -> Option<Event> {
        self.events.poll().map(|event| event.event())
    }
}

impl ConsumerClient for ConsumerHandle {
    type Queue = PartitionQueue;

    fn subscribe(&self, topics: &[String]) -> Result<()> {
        let list =
            PartitionList::new(&topics.iter().map(|t| TopicPartition::at(t, -1, 0)).collect::<Vec<_>>());
        // SAFETY: handle and list are alive; the list is copied.
        check("subscribe", unsafe { sys::rd_kafka_subscribe(self.raw(), list.as_ptr()) })
    }

    fn partition_queue(&self, topic: &str, partition: i32) -> Result<PartitionQueue> {
        const OPERATION: &str = "split off a partition";
        let name = c_text(OPERATION, topic)?;
        // SAFETY: the handle is alive, the name NUL-terminated; the reference is given to the Queue.
        let queue = unsafe {
            let raw = sys::rd_kafka_queue_get_partition(self.raw(), name.as_ptr(), partition);
            if raw.is_null() {
                return Err(Error::state(OPERATION, format!("{topic} [{partition}] is not known")));
            }
            Queue::new(raw, Arc::clone(self.client()))
        };
        queue.stop_forwarding();
        Ok(PartitionQueue { queue, topic: name, partition })
    }

    fn is_cooperative(&self) -> bool {
        // SAFETY: the handle is alive; the string is static, or null while there is no group.
        unsafe { owned_text(sys::rd_kafka_rebalance_protocol(self.raw())) == "COOPERATIVE" }
    }

    fn assign(&self, partitions: &[TopicPartition]) -> Result<()> {
        let list = PartitionList::new(partitions);
        // SAFETY: handle and list are alive; the list is copied.
        check("assign partitions", unsafe { sys::rd_kafka_assign(self.raw(), list.as_ptr()) })?;
        self.starts.note(partitions);
        Ok(())
    }

    fn unassign(&self) -> Result<()> {
        // SAFETY: the handle is alive; a null list takes everything away.
        check("give partitions up", unsafe { sys::rd_kafka_assign(self.raw(), std::ptr::null()) })
    }

    fn incremental_assign(&self, partitions: &[TopicPartition]) -> Result<()> {
        let list = PartitionList::new(partitions);
        // SAFETY: handle and list are alive; the list is copied; the error object is owned by the caller.
        unsafe {
            take_error("assign partitions", sys::rd_kafka_incremental_assign(self.raw(), list.as_ptr()))?;
        }
        self.starts.note(partitions);
        Ok(())
    }

    fn incremental_unassign(&self, partitions: &[TopicPartition]) -> Result<()> {
        let list = PartitionList::new(partitions);
        // SAFETY: as above.
        unsafe {
            take_error("give partitions up", sys::rd_kafka_incremental_unassign(self.raw(), list.as_ptr()))
        }
    }

    fn assignment_lost(&self) -> bool {
        // SAFETY: the handle is alive.
        unsafe { sys::rd_kafka_assignment_lost(self.raw()) != 0 }
    }

    fn member_id(&self) -> String {
        // SAFETY: the handle is alive; the string is allocated for the caller.
        unsafe { self.client().take_text(sys::rd_kafka_memberid(self.raw())) }.unwrap_or_default()
    }

    fn committed(&self, partitions: &[TopicPartition], timeout_ms: i32) -> Result<Vec<TopicPartition>> {
        let list = PartitionList::new(partitions);
        // SAFETY: handle and list are alive; the list is filled in.
        check("fetch committed offsets", unsafe {
            sys::rd_kafka_committed(self.raw(), list.as_ptr(), timeout_ms)
        })?;
        Ok(list.to_vec())
    }

    fn seek(&self, partitions: &[TopicPartition], timeout_ms: i32) -> Result<Vec<TopicPartition>> {
        if !Shim::Fetcher.is_on() {
            return self.seek_or_reassign(partitions, timeout_ms);
        }
        for p in partitions {
            let name = c_text("seek", &p.topic)?;
            // SAFETY: the handle is alive, the name NUL-terminated.
            unsafe { nka_allow_seek(self.raw(), name.as_ptr(), p.partition) };
        }
        self.seek_fetched(partitions, timeout_ms)
    }

    fn store_offsets(&self, offsets: &[TopicPartition]) {
        if offsets.is_empty() {
            return;
        }
        let list = PartitionList::new(offsets);
        // SAFETY: handle and list are alive. What could not be stored is committed by the partition's next owner.
        let _ = unsafe { sys::rd_kafka_offsets_store(self.raw(), list.as_ptr()) };
    }

    fn commit(&self, offsets: &[TopicPartition], id: u64) -> Result<()> {
        let list = PartitionList::new(offsets);
        // SAFETY: handle, list and queue are alive; without a callback the answer is an event, whose opaque
        // is a number and not a pointer.
        check("commit offsets", unsafe {
            sys::rd_kafka_commit_queue(self.raw(), list.as_ptr(), self.events.as_ptr(), None, id as *mut _)
        })
    }

    fn start_close(&self) -> Result<()> {
        // SAFETY: handle and queue are alive; the error object is owned by the caller.
        unsafe { take_error("close", sys::rd_kafka_consumer_close_queue(self.raw(), self.events.as_ptr())) }
    }

    fn is_closed(&self) -> bool {
        // SAFETY: the handle is alive.
        unsafe { sys::rd_kafka_consumer_closed(self.raw()) != 0 }
    }

    fn release_join_response(&self, for_good: bool) {
        self.client().let_joins_go(for_good);
    }
}

impl MemberClient for ConsumerHandle {
    type GroupMetadata = GroupMetadata;

    fn cluster_id(&self, timeout_ms: i32) -> Option<String> {
        self.client().cluster_id(timeout_ms)
    }

    fn group_metadata(&self) -> Option<GroupMetadata> {
        GroupMetadata::of_member(self.client())
    }

    fn assignment(&self) -> Result<Vec<TopicPartition>> {
        let mut list = std::ptr::null_mut();
        // SAFETY: the handle is alive, the out parameter writable; on success the list is owned by the caller, who copies
        // and frees it.
        unsafe {
            check("read the assignment", sys::rd_kafka_assignment(self.raw(), &raw mut list))?;
            let partitions = copy_list(list);
            sys::rd_kafka_topic_partition_list_destroy(list);
            Ok(partitions)
        }
    }

    fn assignment_lost(&self) -> bool {
        ConsumerClient::assignment_lost(self)
    }
}

/// The queue of one partition's records, split off from the consumer's.
pub struct PartitionQueue {
    queue: Queue,
    topic: CString,
    partition: i32,
}

impl kafka_core::kafka::PartitionQueue for PartitionQueue {
    type Records = Messages;

    fn on_ready(&self, waker: Arc<dyn Wake>) {
        self.queue.on_ready(waker);
    }

    fn consume(&self, limit: usize) -> Messages {
        self.queue.consume(limit)
    }

    fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    fn high_watermark(&self) -> i64 {
        self.queue.handle().cached_high_watermark(&self.topic, self.partition).unwrap_or(-1)
    }

    fn fetched(&self) -> Option<i64> {
        if !Shim::Fetcher.is_on() {
            return None;
        }
        // SAFETY: the handle is alive, the name NUL-terminated.
        let offset =
            unsafe { nka_fetched(self.queue.handle().as_ptr(), self.topic.as_ptr(), self.partition) };
        (offset >= 0).then_some(offset)
    }
}
