//! Producing records.

use std::ffi::{c_char, c_int, c_void};
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use rdkafka_sys as sys;
use smallvec::SmallVec;

use super::conf::ERROR_TEXT_SIZE;
use super::handle::{Handle, c_name};
use super::{Conf, check, describe, take_error};
use crate::error::{CODE_INVALID_ARG, Error, Result};

/// Lets the partitioner choose.
pub const PARTITION_UNASSIGNED: i32 = -1;

/// A topic of a producer.
pub struct Topic {
    raw: *mut sys::rd_kafka_topic_t,
    handle: *const Handle,
    /// See [`Topic::next_partition`].
    last_partition: AtomicI32,
}

// SAFETY: librdkafka's topic objects are thread-safe.
unsafe impl Send for Topic {}
// SAFETY: as above.
unsafe impl Sync for Topic {}

impl Topic {
    pub(super) fn as_ptr(&self) -> *mut sys::rd_kafka_topic_t {
        self.raw
    }

    /// The topic's partitions in turn, from one at random on; `None` while they are not known.
    pub fn next_partition(&self) -> Option<i32> {
        let last = self.last_partition.load(Ordering::Relaxed);
        // SAFETY: the topic is alive.
        let next = unsafe { nka_next_partition(self.raw, last) };
        // If two threads took the same one, only the turns would be uneven.
        self.last_partition.store(next, Ordering::Relaxed);
        (next != PARTITION_UNASSIGNED).then_some(next)
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: gives this value's reference back. Topics are dropped before their handle: the owners in
        // this crate hold both, in this order.
        unsafe { sys::rd_kafka_topic_destroy(self.raw) };
    }
}

/// A header as `headers.c` takes it.
#[repr(C)]
struct RawHeader {
    name: *const c_void,
    name_size: usize,
    value: *const c_void,
    value_size: usize,
}

// See headers.c, next_partition.c and on_send.c.
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
}

/// Headers that a record usually has at most: more need an allocation.
const USUAL_HEADERS: usize = 6;

/// Headers of one record, under construction: names and values are copied when it is produced.
#[derive(Default)]
pub struct RecordHeaders<'a> {
    headers: SmallVec<[RawHeader; USUAL_HEADERS]>,
    bytes: PhantomData<&'a [u8]>,
}

impl<'a> RecordHeaders<'a> {
    /// Appends a header. `None` is a null value.
    pub fn push(&mut self, name: &'a [u8], value: Option<&'a [u8]>) {
        let Part { ptr: value, size: value_size } = value.into();
        let Part { ptr: name, size: name_size } = Some(name).into();
        self.headers.push(RawHeader { name, name_size, value, value_size });
    }

    /// librdkafka's list of them; null without any.
    fn into_raw(self) -> *mut sys::rd_kafka_headers_t {
        if self.headers.is_empty() {
            return std::ptr::null_mut();
        }
        // SAFETY: each pointer comes from a slice that is still borrowed, with its length; everything is copied.
        unsafe { nka_headers_new(self.headers.as_ptr(), self.headers.len()) }
    }
}

/// One record to produce.
pub struct Record<'a> {
    /// Partition, or [`PARTITION_UNASSIGNED`].
    pub partition: i32,
    /// Key; `None` is null.
    pub key: Option<&'a [u8]>,
    /// Value; `None` is null.
    pub value: Option<&'a [u8]>,
    /// Ms since the epoch; `None` is the time of the call.
    pub timestamp: Option<i64>,
    /// How long it may take to be delivered, in ms; 0: as long as the handle's settings say.
    pub limit_ms: u32,
    /// Headers.
    pub headers: RecordHeaders<'a>,
    /// Comes back in the delivery report.
    pub opaque: u64,
}

impl Conf {
    /// Lets the producer that is made of this configuration give records a timestamp of 0 and limits of their own.
    pub(super) fn shape_records(&self) -> Result<()> {
        // SAFETY: the configuration is alive; what is added to it is static.
        check("prepare the producer", unsafe { nka_shape_records(self.as_ptr()) })
    }
}

impl Handle {
    /// A topic object with the handle's settings. Fails for an illegal name.
    pub fn topic_handle(&self, topic: &str) -> Result<Topic> {
        self.open_topic(topic, std::ptr::null_mut())
    }

    /// A topic object with a compression of its own. When the topic was used before, that use decides.
    pub fn compressed_topic_handle(&self, topic: &str, codec: &str) -> Result<Topic> {
        const OPERATION: &str = "choose a topic's compression";
        let codec = c_name(OPERATION, codec)?;
        let mut text = [0 as c_char; ERROR_TEXT_SIZE];
        // SAFETY: the handle is alive; the copy of its settings is owned by this call until the topic takes it
        // over; the strings are NUL-terminated and copied, the buffer's size is passed along.
        let conf = unsafe {
            let conf = sys::rd_kafka_default_topic_conf_dup(self.as_ptr());
            let name = c"compression.codec".as_ptr();
            let result =
                sys::rd_kafka_topic_conf_set(conf, name, codec.as_ptr(), text.as_mut_ptr(), ERROR_TEXT_SIZE);
            if result != sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK {
                sys::rd_kafka_topic_conf_destroy(conf);
                return Err(Error::new(OPERATION, CODE_INVALID_ARG, super::owned_text(text.as_ptr())));
            }
            conf
        };
        self.open_topic(topic, conf)
    }

    /// `conf` is null or owned by the caller, who gives it away.
    fn open_topic(&self, topic: &str, conf: *mut sys::rd_kafka_topic_conf_t) -> Result<Topic> {
        let name = c_name("open a topic", topic)?;
        // SAFETY: the handle is alive, the name NUL-terminated and copied; the settings are taken over.
        let raw = unsafe { sys::rd_kafka_topic_new(self.as_ptr(), name.as_ptr(), conf) };
        if raw.is_null() {
            // SAFETY: reads the thread's last error.
            let code = unsafe { sys::rd_kafka_last_error() };
            return Err(Error::new("open a topic", code as i32, describe(code)));
        }
        let last_partition = AtomicI32::new(PARTITION_UNASSIGNED);
        Ok(Topic { raw, handle: std::ptr::from_ref(self), last_partition })
    }

    /// Queues a record; key and value are copied. The outcome arrives as a delivery report.
    pub fn produce(self: &Arc<Self>, topic: &Topic, record: Record<'_>) -> Result<()> {
        use sys::rd_kafka_vtype_t as vtype;
        if !std::ptr::eq(topic.handle, Arc::as_ptr(self)) {
            return Err(Error::new("produce", CODE_INVALID_ARG, "the topic belongs to another producer"));
        }
        let headers = record.headers.into_raw();
        let mut arguments = [vu(vtype::RD_KAFKA_VTYPE_END); 8];
        arguments[0] = vu(vtype::RD_KAFKA_VTYPE_RKT);
        arguments[0].u.rkt = topic.raw;
        arguments[1] = vu(vtype::RD_KAFKA_VTYPE_PARTITION);
        arguments[1].u.i32_ = record.partition;
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
        let at_epoch = record.timestamp == Some(0);
        let is_usual = !at_epoch && record.limit_ms == 0;
        // SAFETY: handle and topic are alive, and the handle of a producer was made to shape records; key and value are
        // copied; the headers are taken over when the call succeeds and freed here when it does not; the error object
        // is owned by the caller.
        unsafe {
            let error = if is_usual {
                sys::rd_kafka_produceva(self.as_ptr(), arguments.as_ptr(), count)
            } else {
                nka_produce(self.as_ptr(), arguments.as_ptr(), count, at_epoch.into(), record.limit_ms)
            };
            if !error.is_null() && !headers.is_null() {
                sys::rd_kafka_headers_destroy(headers);
            }
            take_error("produce", error)
        }
    }
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
