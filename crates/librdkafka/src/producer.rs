//! A producer, and the topics that it produces to.

use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use rdkafka_sys as sys;
use smallvec::SmallVec;

use kafka_core::error::{CODE_INVALID_ARG, Error, Result};
use kafka_core::kafka::{
    DeliveryReport, Event, EventSource, Header, ProducerClient, ProducerRecord, ProducerTopic,
    TopicPartition, Wake,
};
use kafka_core::producer::SEND_OFFSETS;
use kafka_core::request_events::RequestEvents;

use super::conf::ERROR_TEXT_SIZE;
use super::private::{self, Shim};
use super::queue::Queue;
use super::{Conf, ConsumerHandle, GroupMetadata, Handle, c_text, check, describe, owned_text, take_error};

/// Events that a producer queues instead of calling back.
const EVENTS: i32 = sys::RD_KAFKA_EVENT_DR
    | sys::RD_KAFKA_EVENT_ERROR
    | sys::RD_KAFKA_EVENT_LOG
    | sys::RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH
    | sys::RD_KAFKA_EVENT_STATS;

/// librdkafka's `RD_KAFKA_PARTITION_UA`: the partitioner chooses.
const PARTITION_UNASSIGNED: i32 = -1;

/// A header as `headers.c` takes it.
#[repr(C)]
struct RawHeader {
    name: *const c_void,
    name_size: usize,
    value: *const c_void,
    value_size: usize,
}

// See headers.c, hold.c, next_partition.c and on_send.c.
unsafe extern "C" {
    fn nka_shape_records(conf: *mut sys::rd_kafka_conf_t) -> sys::rd_kafka_resp_err_t;
    fn nka_produce(
        rk: *mut sys::rd_kafka_t,
        arguments: *const sys::rd_kafka_vu_t,
        count: usize,
        at_epoch: c_int,
        limit_ms: u32,
    ) -> *mut sys::rd_kafka_error_t;
    fn nka_next_partition(topic: *mut sys::rd_kafka_topic_t, last: i32) -> i32;
    fn nka_headers_new(headers: *const RawHeader, count: usize) -> *mut sys::rd_kafka_headers_t;
    fn nka_topic_hold(topic: *mut sys::rd_kafka_topic_t) -> c_int;
    fn nka_topic_release(topic: *mut sys::rd_kafka_topic_t);
}

/// A producer, and the queue of its events: delivery reports, errors.
pub struct ProducerHandle {
    events: Queue,
}

impl ProducerHandle {
    /// Makes a producer, whose requests are reported to `request_events`.
    pub fn new(conf: Conf, request_events: Arc<RequestEvents>) -> Result<Self> {
        conf.set_events(EVENTS);
        // SAFETY: the handle keeps them.
        unsafe { conf.observe(&request_events)? };
        conf.shape_records()?;
        let handle = Handle::create(sys::rd_kafka_type_t::RD_KAFKA_PRODUCER, conf, request_events, None)?;
        Ok(Self { events: handle.main_queue() })
    }

    fn raw(&self) -> *mut sys::rd_kafka_t {
        self.events.handle().as_ptr()
    }

    /// The settings of a topic with a compression of its own.
    fn compressed(&self, codec: &str) -> Result<*mut sys::rd_kafka_topic_conf_t> {
        const OPERATION: &str = "choose a topic's compression";
        let codec = c_text(OPERATION, codec)?;
        let mut text = [0 as c_char; ERROR_TEXT_SIZE];
        // SAFETY: the handle is alive; the copy of its settings is owned by this call until the topic takes it
        // over; the strings are NUL-terminated and copied, the buffer's size is passed along.
        unsafe {
            let conf = sys::rd_kafka_default_topic_conf_dup(self.raw());
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
}

impl Conf {
    /// Lets the producer that is made of this configuration give records a timestamp of 0 and limits of their own.
    fn shape_records(&self) -> Result<()> {
        if !Shim::OnSend.is_on() {
            return Ok(());
        }
        // SAFETY: the configuration is alive; what is added to it is static.
        check("prepare the producer", unsafe { nka_shape_records(self.as_ptr()) })
    }
}

impl EventSource for ProducerHandle {
    type Client = Handle;

    fn client(&self) -> &Arc<Handle> {
        self.events.handle()
    }

    fn on_event(&self, waker: Arc<dyn Wake>) {
        self.events.on_ready(waker);
    }

    fn poll(&self, report: impl FnMut(DeliveryReport)) -> Option<Event> {
        let event = self.events.poll()?;
        let copied = event.event();
        if matches!(copied, Event::Delivery) {
            event.delivery_reports(report);
        }
        Some(copied)
    }
}

impl ProducerClient for ProducerHandle {
    type Topic = Topic;
    type GroupMetadata = GroupMetadata;
    type Member = ConsumerHandle;

    fn topic(&self, name: &str, compression: Option<&str>) -> Result<Topic> {
        let conf = compression.map(|codec| self.compressed(codec)).transpose()?;
        let raw = self.client().open_topic(name, conf.unwrap_or(std::ptr::null_mut()))?;
        let last_partition = AtomicI32::new(PARTITION_UNASSIGNED);
        private::check_topic(self.raw(), raw.as_ptr())?;
        Ok(Topic { raw, handle: Arc::as_ptr(self.client()), last_partition })
    }

    fn produce(&self, topic: &Topic, record: ProducerRecord<'_>) -> Result<()> {
        use sys::rd_kafka_vtype_t as vtype;
        if topic.handle != Arc::as_ptr(self.client()) {
            return Err(Error::new("produce", CODE_INVALID_ARG, "the topic belongs to another producer"));
        }
        let at_epoch = record.timestamp == Some(0);
        if at_epoch && !Shim::OnSend.is_on() {
            const TEXT: &str = "a timestamp of 0, which librdkafka takes for the present time, cannot be written \
                                while NESTJS_KAFKA_NATIVE_WITHOUT turns on-send off";
            return Err(Error::new("produce", CODE_INVALID_ARG, TEXT));
        }
        let headers = raw_headers(record.headers);
        let mut arguments = [vu(vtype::RD_KAFKA_VTYPE_END); 8];
        arguments[0] = vu(vtype::RD_KAFKA_VTYPE_RKT);
        arguments[0].u.rkt = topic.raw.0;
        arguments[1] = vu(vtype::RD_KAFKA_VTYPE_PARTITION);
        arguments[1].u.i32_ = record.partition.unwrap_or(PARTITION_UNASSIGNED);
        arguments[2] = vu(vtype::RD_KAFKA_VTYPE_KEY);
        arguments[2].u.mem = mem(record.key);
        arguments[3] = vu(vtype::RD_KAFKA_VTYPE_VALUE);
        arguments[3].u.mem = mem(record.value);
        arguments[4] = vu(vtype::RD_KAFKA_VTYPE_MSGFLAGS);
        arguments[4].u.i = sys::RD_KAFKA_MSG_F_COPY;
        arguments[5] = vu(vtype::RD_KAFKA_VTYPE_TIMESTAMP);
        arguments[5].u.i64_ = record.timestamp.unwrap_or(0);
        arguments[6] = vu(vtype::RD_KAFKA_VTYPE_OPAQUE);
        arguments[6].u.ptr = record.opaque as *mut c_void;
        let mut count = 7;
        if !headers.is_null() {
            arguments[7] = vu(vtype::RD_KAFKA_VTYPE_HEADERS);
            arguments[7].u.headers = headers;
            count = 8;
        }
        let is_usual = (!at_epoch && record.limit_ms == 0) || !Shim::OnSend.is_on();
        // SAFETY: handle and topic are alive, and the handle of a producer was made to shape records; key and value are
        // copied; the headers are taken over when the call succeeds and freed here when it does not; the error object
        // is owned by the caller.
        unsafe {
            let error = if is_usual {
                sys::rd_kafka_produceva(self.raw(), arguments.as_ptr(), count)
            } else {
                nka_produce(self.raw(), arguments.as_ptr(), count, at_epoch.into(), record.limit_ms)
            };
            if !error.is_null() && !headers.is_null() {
                sys::rd_kafka_headers_destroy(headers);
            }
            take_error("produce", error)
        }
    }

    fn unacknowledged(&self) -> usize {
        // SAFETY: the handle is alive.
        unsafe { sys::rd_kafka_outq_len(self.raw()) }.max(0) as usize
    }

    fn purge(&self) {
        // SAFETY: the handle is alive. The result only says whether the handle is a producer.
        let _ = unsafe {
            sys::rd_kafka_purge(self.raw(), sys::RD_KAFKA_PURGE_F_QUEUE | sys::RD_KAFKA_PURGE_F_INFLIGHT)
        };
    }

    fn fatal_error(&self) -> Option<(i32, String)> {
        let mut text = [0 as c_char; ERROR_TEXT_SIZE];
        // SAFETY: the handle is alive; the buffer's size is passed along.
        let code = unsafe { sys::rd_kafka_fatal_error(self.raw(), text.as_mut_ptr(), ERROR_TEXT_SIZE) };
        // SAFETY: librdkafka NUL-terminates what it writes.
        (code as i32 != 0).then(|| (code as i32, unsafe { owned_text(text.as_ptr()) }))
    }

    fn init_transactions(&self, timeout_ms: i32) -> Result<()> {
        self.client().init_transactions(timeout_ms)
    }

    fn begin_transaction(&self) -> Result<()> {
        self.client().begin_transaction()
    }

    fn group_metadata(&self, group: &str) -> Result<GroupMetadata> {
        GroupMetadata::of_group(SEND_OFFSETS, group)
    }

    fn send_offsets(&self, group: &GroupMetadata, offsets: &[TopicPartition], timeout_ms: i32) -> Result<()> {
        self.client().send_offsets(group, offsets, timeout_ms)
    }

    fn commit_transaction(&self, timeout_ms: i32) -> Result<()> {
        self.client().commit_transaction(timeout_ms)
    }

    fn abort_transaction(&self, timeout_ms: i32) -> Result<()> {
        self.client().abort_transaction(timeout_ms)
    }
}

impl Handle {
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

/// An owned reference to an `rd_kafka_topic_t`, which is dropped before its handle.
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
        // SAFETY: gives this value's reference back. Topics are dropped before their handle: their owners hold both, in
        // this order.
        unsafe { sys::rd_kafka_topic_destroy(self.0) };
    }
}

/// A topic of a producer.
pub struct Topic {
    raw: RawTopic,
    handle: *const Handle,
    /// See [`ProducerTopic::next_partition`].
    last_partition: AtomicI32,
}

// SAFETY: the handle is only compared with others.
unsafe impl Send for Topic {}
// SAFETY: as above.
unsafe impl Sync for Topic {}

impl ProducerTopic for Topic {
    fn next_partition(&self) -> Option<i32> {
        if !Shim::NextPartition.is_on() {
            return None;
        }
        let last = self.last_partition.load(Ordering::Relaxed);
        // SAFETY: the topic is alive.
        let next = unsafe { nka_next_partition(self.raw.0, last) };
        // If two threads took the same one, only the turns would be uneven.
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

/// Headers that a record usually has at most: more need an allocation.
const USUAL_HEADERS: usize = 6;

/// librdkafka's list of headers; null without any.
fn raw_headers(headers: &[Header<'_>]) -> *mut sys::rd_kafka_headers_t {
    if headers.is_empty() {
        return std::ptr::null_mut();
    }
    let raw = as_raw(headers);
    if !Shim::Headers.is_on() {
        return added_one_by_one(&raw);
    }
    // SAFETY: each pointer comes from a slice that is still borrowed, with its length; everything is copied.
    unsafe { nka_headers_new(raw.as_ptr(), raw.len()) }
}

/// Headers as C takes them, valid as long as they are borrowed.
fn as_raw(headers: &[Header<'_>]) -> SmallVec<[RawHeader; USUAL_HEADERS]> {
    let raw = |header: &Header<'_>| {
        let Part { ptr: name, size: name_size } = Some(header.name).into();
        let Part { ptr: value, size: value_size } = header.value.into();
        RawHeader { name, name_size, value, value_size }
    };
    headers.iter().map(raw).collect()
}

/// The same list, made by public functions.
fn added_one_by_one(headers: &[RawHeader]) -> *mut sys::rd_kafka_headers_t {
    // SAFETY: allocates; never null.
    let list = unsafe { sys::rd_kafka_headers_new(headers.len()) };
    for RawHeader { name, name_size, value, value_size } in headers {
        // SAFETY: the caller's pointers are valid for their lengths; everything is copied.
        unsafe {
            sys::rd_kafka_header_add(list, name.cast(), *name_size as isize, *value, *value_size as isize);
        }
    }
    list
}

fn vu(vtype: sys::rd_kafka_vtype_t) -> sys::rd_kafka_vu_t {
    sys::rd_kafka_vu_t { vtype, u: sys::rd_kafka_vu_s__bindgen_ty_1 { i: 0 } }
}

/// A slice as C takes it, or the absence of one.
struct Part {
    ptr: *const c_void,
    size: usize,
}

impl From<Option<&[u8]>> for Part {
    /// An empty slice keeps a non-null pointer: an empty key is a key and is hashed, a null one is not.
    fn from(bytes: Option<&[u8]>) -> Self {
        bytes.map_or(Self { ptr: std::ptr::null(), size: 0 }, |b| Self {
            ptr: b.as_ptr().cast::<c_void>(),
            size: b.len(),
        })
    }
}

fn mem(bytes: Option<&[u8]>) -> sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 {
    let Part { ptr, size } = bytes.into();
    sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 { ptr: ptr.cast_mut(), size }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Pairs = Vec<(Vec<u8>, Option<Vec<u8>>)>;

    fn of(pairs: &Pairs) -> Vec<Header<'_>> {
        pairs.iter().map(|(name, value)| Header { name, value: value.as_deref() }).collect()
    }

    /// What librdkafka reads from a list, and from its own copy of it; frees the list.
    fn read_back(list: *mut sys::rd_kafka_headers_t) -> [Pairs; 2] {
        if list.is_null() {
            return [Vec::new(), Vec::new()];
        }
        // SAFETY: both lists are alive while they are read, and destroyed once; names end with a NUL, values have the size
        // that is told.
        unsafe {
            let copy = sys::rd_kafka_headers_copy(list);
            let read = [list.cast_const(), copy.cast_const()].map(|list| {
                let mut pairs = Vec::new();
                let (mut name, mut value, mut size) = (std::ptr::null(), std::ptr::null(), 0);
                while sys::rd_kafka_header_get_all(
                    list,
                    pairs.len(),
                    &raw mut name,
                    &raw mut value,
                    &raw mut size,
                ) == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
                {
                    let bytes = (!value.is_null())
                        .then(|| std::slice::from_raw_parts(value.cast::<u8>(), size).to_vec());
                    pairs.push((std::ffi::CStr::from_ptr(name).to_bytes().to_vec(), bytes));
                }
                pairs
            });
            sys::rd_kafka_headers_destroy(copy);
            sys::rd_kafka_headers_destroy(list);
            read
        }
    }

    proptest! {
        #[test]
        fn headers_in_one_piece_are_those_that_are_added_one_by_one(
            pairs in prop::collection::vec(
                (prop::collection::vec(1..=u8::MAX, 0..20), prop::option::of(prop::collection::vec(any::<u8>(), 0..40))),
                0..20)
        ) {
            let whole = [pairs.clone(), pairs.clone()];
            prop_assert_eq!(read_back(raw_headers(&of(&pairs))), whole.clone());
            prop_assert_eq!(read_back(added_one_by_one(&as_raw(&of(&pairs)))), whole);
        }
    }
}
