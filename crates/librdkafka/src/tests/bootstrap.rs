//! A client that finds its cluster by the bootstrap addresses again when all brokers it knows are gone, against
//! librdkafka's mock cluster.
//!
//! What decides is what threads of librdkafka do at the same time; the line that one of them writes holds it for that.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka_sys as sys;

use crate::Conf;

const TOPIC: &str = "payments";
/// How long anything may take before a test gives up.
const DEADLINE: Duration = Duration::from_secs(60);

/// What the lines that the client writes are looked at for. Outlives the client.
struct Scene {
    cluster: MockCluster<'static, DefaultProducerContext>,
    /// Whether the next answer that tells of the brokers is held while its broker leaves.
    armed: AtomicBool,
    /// Broker 2 is known to be gone.
    gone: (SyncSender<()>, Mutex<Receiver<()>>),
    /// A bootstrap address is not needed any more.
    left: (SyncSender<()>, Mutex<Receiver<()>>),
}

fn channel() -> (SyncSender<()>, Mutex<Receiver<()>>) {
    let (sender, receiver) = sync_channel(16);
    (sender, Mutex::new(receiver))
}

/// Waits for what the other end tells of; a test that waits too long fails by what is missing then.
fn wait(receiver: &Mutex<Receiver<()>>) -> bool {
    receiver.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(DEADLINE).is_ok()
}

impl Scene {
    /// Two brokers, of which the second one is up and leads the topic's partition.
    fn new() -> Self {
        let cluster = MockCluster::new(2).unwrap();
        cluster.create_topic(TOPIC, 1, 1).unwrap();
        cluster.partition_leader(TOPIC, 0, Some(2)).unwrap();
        cluster.broker_down(1).unwrap();
        Self { cluster, armed: AtomicBool::new(false), gone: channel(), left: channel() }
    }

    /// Called by the thread that writes the line, which goes on when this returns.
    fn on_line(&self, line: &str) {
        if line.contains("broker down: no usable brokers") {
            let _ = self.gone.0.try_send(());
        } else if line.contains("===== Received metadata") {
            self.on_answer();
        } else if line.contains("/bootstrap: Handle terminates in state") {
            let _ = self.left.0.try_send(());
        }
    }

    /// Where this is waited for, the broker that has answered leaves, and the other one comes, before the answer is read.
    fn on_answer(&self) {
        if !self.armed.swap(false, Ordering::SeqCst) {
            return;
        }
        let moved = self.cluster.broker_down(2).is_ok() && self.cluster.broker_up(1).is_ok();
        if !moved || !wait(&self.gone.1) {
            // No assertion in a callback of C: the test fails because broker 1 is not found.
            let _ = self.cluster.broker_down(1);
        }
    }
}

unsafe extern "C" fn on_log(
    client: *const sys::rd_kafka_t,
    _level: c_int,
    _facility: *const c_char,
    line: *const c_char,
) {
    // SAFETY: the opaque of the client is a scene that outlives it.
    let scene = unsafe { sys::rd_kafka_opaque(client).cast::<Scene>().as_ref() };
    // SAFETY: librdkafka NUL-terminates what it writes.
    let line = unsafe { CStr::from_ptr(line) };
    if let Some(scene) = scene {
        scene.on_line(&line.to_string_lossy());
    }
}

/// A client whose lines are looked at by a scene.
struct Client<'a> {
    raw: *mut sys::rd_kafka_t,
    scene: &'a Scene,
}

impl<'a> Client<'a> {
    fn new(scene: &'a Scene) -> Self {
        let conf = Conf::new([
            ("bootstrap.servers", scene.cluster.bootstrap_servers().as_str()),
            ("debug", "broker,metadata"),
            ("reconnect.backoff.ms", "10"),
            ("reconnect.backoff.max.ms", "100"),
            ("log.queue", "false"),
        ])
        .unwrap();
        let opaque: *const Scene = scene;
        let mut text = [0 as c_char; 512];
        // SAFETY: the conf is alive, the opaque outlives the client, which takes the conf, and the buffer's size is passed along.
        let raw = unsafe {
            sys::rd_kafka_conf_set_opaque(conf.as_ptr(), opaque.cast_mut().cast::<c_void>());
            sys::rd_kafka_conf_set_log_cb(conf.as_ptr(), Some(on_log));
            sys::rd_kafka_new(
                sys::rd_kafka_type_t::RD_KAFKA_PRODUCER,
                conf.into_raw(),
                text.as_mut_ptr(),
                text.len(),
            )
        };
        assert!(!raw.is_null());
        Self { raw, scene }
    }

    /// Sends a record, which its leader is connected for.
    fn send(&self) {
        let topic = CString::new(TOPIC).unwrap();
        // SAFETY: the client is alive, the name is NUL-terminated, the record has no bytes.
        let failed = unsafe {
            let topic = sys::rd_kafka_topic_new(self.raw, topic.as_ptr(), ptr::null_mut());
            let failed =
                sys::rd_kafka_produce(topic, 0, 0, ptr::null_mut(), 0, ptr::null(), 0, ptr::null_mut());
            sys::rd_kafka_topic_destroy(topic);
            failed
        };
        assert_eq!(failed, 0);
    }

    /// Whether a broker tells which brokers there are.
    fn reaches_a_broker(&self) -> bool {
        let mut metadata = ptr::null();
        // SAFETY: the client is alive, and what it answers is freed as it says.
        unsafe {
            let code = sys::rd_kafka_metadata(
                self.raw,
                0,
                ptr::null_mut(),
                &raw mut metadata,
                DEADLINE.as_millis() as c_int,
            );
            if !metadata.is_null() {
                sys::rd_kafka_metadata_destroy(metadata);
            }
            code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
        }
    }

    /// Waits until the only broker that is known is one that a broker has told of.
    fn settle(&self) {
        self.send();
        for _ in self.scene.cluster.bootstrap_servers().split(',') {
            assert!(wait(&self.scene.left.1), "a bootstrap address is still there");
        }
    }
}

impl Drop for Client<'_> {
    fn drop(&mut self) {
        // SAFETY: nothing uses the client any more; what is unsent is given up.
        unsafe {
            sys::rd_kafka_purge(self.raw, sys::RD_KAFKA_PURGE_F_QUEUE as c_int);
            sys::rd_kafka_destroy(self.raw);
        }
    }
}

// The answer of the broker that is gone by then called off, before it had begun, what looks at the bootstrap addresses again; and what
// called it off left it marked as begun, so that nothing ever began it again.
#[test]
fn an_answer_that_is_read_when_its_broker_has_left_keeps_no_one_from_the_bootstrap_addresses() {
    let scene = Scene::new();
    let client = Client::new(&scene);
    client.settle();
    scene.armed.store(true, Ordering::SeqCst);
    // Of broker 2, whether in time or not.
    client.reaches_a_broker();
    assert!(!scene.armed.load(Ordering::SeqCst));
    assert!(client.reaches_a_broker());
}
