//! A producer.

use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;

use rdkafka_sys as sys;

use kafka_core::error::{CODE_INVALID_ARG, Error, Result};
use kafka_core::kafka::{
    DeliveryReport, Event, EventSource, ProducerClient, ProducerRecord, TopicPartition, Wake,
};
use kafka_core::producer::SEND_OFFSETS;
use kafka_core::request_events::RequestEvents;

use super::conf::ERROR_TEXT_SIZE;
use super::headers::{Part, raw_headers};
use super::private::Shim;
use super::queue::Queue;
use super::topic::{PARTITION_UNASSIGNED, Topic};
use super::{Conf, ConsumerHandle, GroupMetadata, Handle, check, owned_text, take_error};

/// Events that a producer queues instead of calling back.
const EVENTS: i32 = sys::RD_KAFKA_EVENT_DR
    | sys::RD_KAFKA_EVENT_ERROR
    | sys::RD_KAFKA_EVENT_LOG
    | sys::RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH
    | sys::RD_KAFKA_EVENT_STATS;

// See on_send.c.
unsafe extern "C" {
    fn nka_shape_records(conf: *mut sys::rd_kafka_conf_t) -> sys::rd_kafka_resp_err_t;
    fn nka_produce(
        rk: *mut sys::rd_kafka_t,
        arguments: *const sys::rd_kafka_vu_t,
        count: usize,
        at_epoch: c_int,
        limit_ms: u32,
    ) -> *mut sys::rd_kafka_error_t;
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
}

impl Conf {
    /// Lets the producer made from this configuration give records a timestamp of 0 and delivery time-outs of their
    /// own.
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
        Topic::open(self.client(), name, compression)
    }

    fn produce(&self, topic: &Topic, record: ProducerRecord<'_>) -> Result<()> {
        use sys::rd_kafka_vtype_t as vtype;
        if !topic.is_of(self.client()) {
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
        arguments[0].u.rkt = topic.as_ptr();
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

fn vu(vtype: sys::rd_kafka_vtype_t) -> sys::rd_kafka_vu_t {
    sys::rd_kafka_vu_t { vtype, u: sys::rd_kafka_vu_s__bindgen_ty_1 { i: 0 } }
}

fn mem(bytes: Option<&[u8]>) -> sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 {
    let Part { ptr, size } = bytes.into();
    sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 { ptr: ptr.cast_mut(), size }
}
