//! librdkafka's admin requests. Each is sent with a queue of its own and waited for, on the calling thread.

mod acls;
mod configs;
mod groups;
mod offsets;
mod rights;
mod topics;

use std::ffi::{c_char, c_int};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka_sys as sys;

use kafka_core::admin::millis;
use kafka_core::error::{CODE_INVALID_ARG, CODE_TIMED_OUT, Error, Result};
use kafka_core::kafka::{DeliveryReport, Event, EventSource, Outcome, Wake};
use kafka_core::request_events::RequestEvents;

use super::conf::ERROR_TEXT_SIZE;
use super::event::RawEvent;
use super::queue::Queue;
use super::{Conf, Handle, check};

pub use acls::{Acl, AclFilter, AclNumbers, DeletedAcls};
pub use configs::{ConfigEntry, ConfigResource, ConfigSynonym, DescribedConfig};
pub use rights::Rights;
pub use topics::{NewPartitions, NewTopic};

/// How much later than librdkafka this crate times a request out: librdkafka's own error says more.
const GRACE_MS: i32 = 2000;
/// librdkafka accepts time-outs up to an hour.
const LONGEST_MS: i32 = 3_600_000;

/// What open transactions mean to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Nothing.
    None,
    /// Their records do not count, when offsets are looked for.
    Committed,
    /// A group's offsets are an error while one that commits them has not ended.
    Stable,
}

/// How an admin request is made.
#[derive(Debug, Clone, Copy)]
pub struct AdminOptions {
    /// When the request ends at the latest. It counts from the call, whatever that had to wait for.
    pub deadline: Instant,
    /// How long the broker may take until the operation is complete (ms).
    pub operation_timeout_ms: Option<i32>,
    /// Whether the broker only validates the request, without carrying it out.
    pub validate_only: bool,
    /// Whether the answer includes the operations that this client is authorized for.
    pub with_rights: bool,
    /// What open transactions mean to the request.
    pub isolation: Isolation,
}

impl AdminOptions {
    /// Options with only a time limit, from now on.
    #[must_use]
    pub fn within(timeout: Duration) -> Self {
        Self {
            deadline: Instant::now() + timeout,
            operation_timeout_ms: None,
            validate_only: false,
            with_rights: false,
            isolation: Isolation::None,
        }
    }

    /// How much time is left (ms).
    #[must_use]
    pub fn left_ms(&self) -> i32 {
        millis(self.deadline.saturating_duration_since(Instant::now()))
    }

    /// The same options, also asking for authorized operations.
    fn with_rights(self) -> Self {
        Self { with_rights: true, ..self }
    }

    /// The same options, without what open transactions have written.
    fn committed(self) -> Self {
        Self { isolation: Isolation::Committed, ..self }
    }
}

/// Events that an admin client queues instead of calling back.
const EVENTS: i32 =
    sys::RD_KAFKA_EVENT_ERROR | sys::RD_KAFKA_EVENT_LOG | sys::RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH;

/// A client for admin requests, and the queue of its events.
pub struct AdminHandle {
    events: Queue,
}

impl AdminHandle {
    /// Makes a client for admin requests, whose requests are reported to `request_events`: a consumer that joins no group.
    ///
    /// It is not a producer, because when a broker that is asked for a group's offsets is not the group's coordinator
    /// (any more, or yet), librdkafka looks for the coordinator of the client's own group, and crashes if the client
    /// has none.
    pub fn new(conf: Conf, request_events: Arc<RequestEvents>) -> Result<Self> {
        conf.set_events(EVENTS);
        // SAFETY: the handle keeps them.
        unsafe { conf.observe(&request_events)? };
        let handle = Handle::create(sys::rd_kafka_type_t::RD_KAFKA_CONSUMER, conf, request_events, None)?;
        // SAFETY: the handle is alive.
        check("create the admin client", unsafe { sys::rd_kafka_poll_set_consumer(handle.as_ptr()) })?;
        Ok(Self { events: handle.consumer_queue() })
    }
}

impl EventSource for AdminHandle {
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

impl Handle {
    /// Makes a request with `send` and waits for its answer; an error of the whole answer is returned as error.
    fn request(
        &self,
        operation: &'static str,
        options: AdminOptions,
        send: impl FnOnce(*mut sys::rd_kafka_t, *const sys::rd_kafka_AdminOptions_t, *mut sys::rd_kafka_queue_t),
    ) -> Result<RawEvent> {
        let raw = RawOptions::new(self, operation, options)?;
        // SAFETY: the handle is alive; the queue is owned by the new value.
        let queue = AnswerQueue(unsafe { sys::rd_kafka_queue_new(self.as_ptr()) });
        send(self.as_ptr(), raw.0, queue.0);
        let Some(event) = queue.poll(options.left_ms().saturating_add(GRACE_MS)) else {
            return Err(Error::new(operation, CODE_TIMED_OUT, "the broker did not answer in time"));
        };
        // SAFETY: the event is alive; its text belongs to it and is copied.
        unsafe {
            let code = sys::rd_kafka_event_error(event.as_ptr());
            if code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return Ok(event);
            }
            let text = super::owned_text(sys::rd_kafka_event_error_string(event.as_ptr()));
            Err(Error::new(operation, code as i32, text))
        }
    }
}

/// The queue that the answer to one request comes to.
struct AnswerQueue(*mut sys::rd_kafka_queue_t);

impl AnswerQueue {
    fn poll(&self, timeout_ms: i32) -> Option<RawEvent> {
        // SAFETY: the queue is alive; the returned event is owned by the caller.
        unsafe { RawEvent::new(sys::rd_kafka_queue_poll(self.0, timeout_ms)) }
    }
}

impl Drop for AnswerQueue {
    fn drop(&mut self) {
        // SAFETY: owned by this value, while the handle is borrowed.
        unsafe { sys::rd_kafka_queue_destroy(self.0) };
    }
}

/// An owned `rd_kafka_AdminOptions_t`.
struct RawOptions(*mut sys::rd_kafka_AdminOptions_t);

impl RawOptions {
    fn new(handle: &Handle, operation: &'static str, options: AdminOptions) -> Result<Self> {
        // SAFETY: the handle is alive; "any" allows every option, and librdkafka reads those that a request has.
        let raw = Self(unsafe {
            sys::rd_kafka_AdminOptions_new(handle.as_ptr(), sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_ANY)
        });
        let limit = |ms: i32| ms.clamp(1, LONGEST_MS);
        let mut text = ErrorText::new();
        // SAFETY: the options are alive; the buffer's size is passed along.
        unsafe {
            let set = sys::rd_kafka_AdminOptions_set_request_timeout;
            text.check(operation, |at, size| set(raw.0, limit(options.left_ms()), at, size))?;
            if let Some(ms) = options.operation_timeout_ms {
                let set = sys::rd_kafka_AdminOptions_set_operation_timeout;
                text.check(operation, |at, size| set(raw.0, limit(ms), at, size))?;
            }
            if options.validate_only {
                let set = sys::rd_kafka_AdminOptions_set_validate_only;
                text.check(operation, |at, size| set(raw.0, 1, at, size))?;
            }
            if options.with_rights {
                let error = sys::rd_kafka_AdminOptions_set_include_authorized_operations(raw.0, 1);
                super::take_error(operation, error)?;
            }
            if options.isolation == Isolation::Committed {
                let level = sys::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED;
                super::take_error(operation, sys::rd_kafka_AdminOptions_set_isolation_level(raw.0, level))?;
            }
            if options.isolation == Isolation::Stable {
                let error = sys::rd_kafka_AdminOptions_set_require_stable_offsets(raw.0, 1);
                super::take_error(operation, error)?;
            }
        }
        Ok(raw)
    }
}

impl Drop for RawOptions {
    fn drop(&mut self) {
        // SAFETY: owned by this value.
        unsafe { sys::rd_kafka_AdminOptions_destroy(self.0) };
    }
}

/// The buffer into which librdkafka writes why it refuses an argument.
struct ErrorText([c_char; ERROR_TEXT_SIZE]);

impl ErrorText {
    fn new() -> Self {
        Self([0; ERROR_TEXT_SIZE])
    }

    /// The error that librdkafka has explained.
    fn error(&self, operation: &'static str) -> Error {
        // SAFETY: librdkafka NUL-terminates what it writes, and the buffer began as zeroes.
        Error::new(operation, CODE_INVALID_ARG, unsafe { super::owned_text(self.0.as_ptr()) })
    }

    /// Runs a call that writes here when it fails.
    fn check(
        &mut self,
        operation: &'static str,
        call: impl FnOnce(*mut c_char, usize) -> sys::rd_kafka_resp_err_t,
    ) -> Result<()> {
        if call(self.0.as_mut_ptr(), ERROR_TEXT_SIZE) == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
        {
            Ok(())
        } else {
            Err(self.error(operation))
        }
    }

    /// Runs a constructor that writes here when it returns null.
    fn made<T>(
        &mut self,
        operation: &'static str,
        call: impl FnOnce(*mut c_char, usize) -> *mut T,
    ) -> Result<*mut T> {
        let raw = call(self.0.as_mut_ptr(), ERROR_TEXT_SIZE);
        if raw.is_null() { Err(self.error(operation)) } else { Ok(raw) }
    }
}

/// Objects of librdkafka's that are freed together.
struct Owned<T> {
    items: Vec<*mut T>,
    free: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    /// # Safety
    /// `free` frees what is pushed, and what is pushed is owned by the caller and not null.
    unsafe fn new(free: unsafe extern "C" fn(*mut T)) -> Self {
        Self { items: Vec::new(), free }
    }

    fn push(&mut self, item: *mut T) {
        self.items.push(item);
    }

    /// The array that a request is made with; librdkafka copies it.
    fn array(&mut self) -> (*mut *mut T, usize) {
        (self.items.as_mut_ptr(), self.items.len())
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        for &item in &self.items {
            // SAFETY: owned by this value; `free` fits by the promise made to `new`.
            unsafe { (self.free)(item) };
        }
    }
}

/// The array of a result.
///
/// # Safety
/// `array` is null or points to `count` pointers that live for `'a`.
unsafe fn elements<'a, T>(array: *const *const T, count: usize) -> &'a [*const T] {
    if array.is_null() || count == 0 {
        return &[];
    }
    // SAFETY: by the caller's promise.
    unsafe { std::slice::from_raw_parts(array, count) }
}

/// The outcomes of a request about topics.
///
/// # Safety
/// `array` is null or points to `count` results that live during the call.
unsafe fn topic_outcomes(array: *const *const sys::rd_kafka_topic_result_t, count: usize) -> Vec<Outcome> {
    // SAFETY: by the caller's promise; the texts belong to the results and are copied.
    unsafe {
        let outcome = |&result: &*const sys::rd_kafka_topic_result_t| Outcome {
            name: super::owned_text(sys::rd_kafka_topic_result_name(result)),
            error: sys::rd_kafka_topic_result_error(result) as i32,
            message: super::owned_text(sys::rd_kafka_topic_result_error_string(result)),
        };
        elements(array, count).iter().map(outcome).collect()
    }
}

/// The outcome that an error object tells of; null is success.
///
/// # Safety
/// `error` is null or lives during the call.
unsafe fn outcome_of(name: String, error: *const sys::rd_kafka_error_t) -> Outcome {
    if error.is_null() {
        return Outcome { name, error: 0, message: String::new() };
    }
    // SAFETY: not null; the text belongs to the error and is copied.
    unsafe {
        Outcome {
            name,
            error: sys::rd_kafka_error_code(error) as i32,
            message: super::owned_text(sys::rd_kafka_error_string(error)),
        }
    }
}

/// Whether one of librdkafka's C booleans is true.
fn truth(value: c_int) -> bool {
    value != 0
}
