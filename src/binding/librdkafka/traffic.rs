//! What a client and its brokers say to each other: one report for each request, for those who watch.
//!
//! librdkafka has interceptors for requests that have been sent and for responses, but nothing that connects the two. A
//! broker's thread sends and receives alone, and a connection answers in order, so what each thread has sent and not
//! seen answered is kept with the thread.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::{c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rdkafka_sys as sys;
use sys::rd_kafka_resp_err_t::{
    RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, RD_KAFKA_RESP_ERR_NO_ERROR,
};

use super::conf::Conf;

/// A request and what became of it.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// `host:port` of the broker; `GroupCoordinator` for the connection to a group's coordinator.
    pub broker: String,
    /// The request's kind, as a number of the protocol.
    pub api_key: i16,
    /// Version of its layout.
    pub api_version: i16,
    /// Number of the request on its connection.
    pub correlation_id: i32,
    /// When it had been sent.
    pub sent_at: SystemTime,
    /// Time until the response.
    pub duration: Duration,
    /// Bytes of the response.
    pub size: usize,
    /// There was no response in time.
    pub timed_out: bool,
}

/// Hears of requests, on the threads of the brokers; must not block.
pub trait TrafficWatch: Send + Sync {
    /// Whether anybody wants to know. Asked for every response.
    fn is_wanted(&self) -> bool;
    /// A request was answered, or timed out.
    fn exchanged(&self, exchange: Exchange);
}

/// Requests without an answer that a thread remembers: one that asks for no answer is forgotten in the end.
const MOST_OUTSTANDING: usize = 1000;

struct Sent {
    api_key: i16,
    correlation_id: i32,
    at: SystemTime,
    since: Instant,
}

thread_local! {
    /// A broker's thread belongs to one client.
    static SENT: RefCell<VecDeque<Sent>> = const { RefCell::new(VecDeque::new()) };
}

const NAME: &std::ffi::CStr = c"nestjs-kafka-native-traffic";

type Watch = Arc<dyn TrafficWatch>;

impl Conf {
    /// Tells `watch` of the requests of the client that is made from this configuration.
    #[must_use]
    pub fn with_traffic(self, watch: Watch) -> Self {
        let opaque = Box::into_raw(Box::new(watch)).cast::<c_void>();
        // SAFETY: the conf is alive and owns the interceptors; the last of them frees the watch, once, when the conf
        // is destroyed, or with the client that has become its owner, whose threads have ended then.
        unsafe {
            sys::rd_kafka_conf_interceptor_add_on_new(self.as_ptr(), NAME.as_ptr(), Some(on_new), opaque);
            sys::rd_kafka_conf_interceptor_add_on_conf_destroy(
                self.as_ptr(),
                NAME.as_ptr(),
                Some(on_conf_destroy),
                opaque,
            );
        }
        self
    }
}

unsafe extern "C" fn on_new(
    rk: *mut sys::rd_kafka_t,
    _conf: *const sys::rd_kafka_conf_t,
    opaque: *mut c_void,
    _text: *mut c_char,
    _text_size: usize,
) -> sys::rd_kafka_resp_err_t {
    // SAFETY: the client is being made, no request has been sent; the opaque outlives its threads.
    unsafe {
        sys::rd_kafka_interceptor_add_on_request_sent(rk, NAME.as_ptr(), Some(on_request_sent), opaque);
        sys::rd_kafka_interceptor_add_on_response_received(rk, NAME.as_ptr(), Some(on_response), opaque)
    }
}

unsafe extern "C" fn on_conf_destroy(opaque: *mut c_void) -> sys::rd_kafka_resp_err_t {
    // SAFETY: made by with_traffic(), and given back once.
    let watch = unsafe { Box::from_raw(opaque.cast::<Watch>()) };
    let _ = catch_unwind(AssertUnwindSafe(|| drop(watch)));
    RD_KAFKA_RESP_ERR_NO_ERROR
}

unsafe extern "C" fn on_request_sent(
    _rk: *mut sys::rd_kafka_t,
    _socket: c_int,
    _broker: *const c_char,
    _broker_id: i32,
    api_key: i16,
    _api_version: i16,
    correlation_id: i32,
    _size: usize,
    _opaque: *mut c_void,
) -> sys::rd_kafka_resp_err_t {
    // Kept whether or not anybody wants to know: who listens later must not take one response for another.
    let _ = catch_unwind(|| {
        SENT.with_borrow_mut(|sent| {
            if sent.len() >= MOST_OUTSTANDING {
                sent.pop_front();
            }
            let (at, since) = (SystemTime::now(), Instant::now());
            sent.push_back(Sent { api_key, correlation_id, at, since });
        });
    });
    RD_KAFKA_RESP_ERR_NO_ERROR
}

unsafe extern "C" fn on_response(
    _rk: *mut sys::rd_kafka_t,
    _socket: c_int,
    broker: *const c_char,
    _broker_id: i32,
    api_key: i16,
    api_version: i16,
    _correlation_id: i32,
    size: usize,
    _round_trip: i64,
    error: sys::rd_kafka_resp_err_t,
    opaque: *mut c_void,
) -> sys::rd_kafka_resp_err_t {
    // SAFETY: made by with_traffic(), and freed when no thread is left.
    let watch = unsafe { &*opaque.cast::<Watch>() };
    let _ = catch_unwind(AssertUnwindSafe(|| {
        // Called again when another thread takes the response up, which has sent nothing.
        let Some(Sent { correlation_id, at, since, .. }) = answered(api_key, error) else { return };
        if !watch.is_wanted() {
            return;
        }
        // SAFETY: librdkafka gives the broker's name, which lives during the call.
        let name = unsafe { super::owned_text(broker) };
        watch.exchanged(Exchange {
            broker: address(&name).to_owned(),
            api_key,
            api_version,
            correlation_id,
            sent_at: at,
            duration: since.elapsed(),
            size,
            timed_out: error != RD_KAFKA_RESP_ERR_NO_ERROR,
        });
    }));
    RD_KAFKA_RESP_ERR_NO_ERROR
}

/// The request of this thread that has been answered, or given up.
fn answered(api_key: i16, error: sys::rd_kafka_resp_err_t) -> Option<Sent> {
    SENT.with_borrow_mut(|sent| match error {
        RD_KAFKA_RESP_ERR_NO_ERROR | RD_KAFKA_RESP_ERR__TIMED_OUT => {
            let place = sent.iter().position(|s| s.api_key == api_key)?;
            sent.remove(place)
        }
        // It has not been sent.
        RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE => None,
        // The connection is gone, and with it all that waited for an answer.
        _ => {
            sent.clear();
            None
        }
    })
}

/// The address in librdkafka's name of a broker, which is `protocol://host:port/id`, without a protocol for plaintext.
fn address(name: &str) -> &str {
    let name = name.split_once("://").map_or(name, |(_, rest)| rest);
    name.split_once('/').map_or(name, |(address, _)| address)
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn finds_the_address_in_a_name() {
        for name in ["a:9092/1", "ssl://a:9092/1", "sasl_plaintext://a:9092/bootstrap", "a:9092"] {
            assert_eq!(address(name), "a:9092");
        }
        assert_eq!(address("GroupCoordinator"), "GroupCoordinator");
    }
}
