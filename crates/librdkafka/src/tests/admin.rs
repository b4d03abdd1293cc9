//! Tests of admin requests against librdkafka's mock cluster.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::ffi::c_int;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::mocking::MockCluster;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use kafka_core::kafka::EventSource as _;
use kafka_core::request_events::RequestEvents;

use crate::Conf;
use crate::admin::{AdminHandle, AdminOptions};

/// How many requests are made.
const REQUESTS: usize = 400;
/// The length of the name that each has, which is kept with it.
const NAME: usize = 30_000;
/// How long anything may take before a test gives up.
const DEADLINE: Duration = Duration::from_secs(60);

/// glibc's: the eighth number is what is allocated, and begins anew at 2 GiB.
#[repr(C)]
struct Mallinfo([c_int; 10]);

unsafe extern "C" {
    fn mallinfo() -> Mallinfo;
}

/// What all threads have allocated and not freed, in bytes; 0 under a sanitizer, which reports itself what is left.
fn allocated() -> c_int {
    // SAFETY: it only reads, under its own locks.
    let info = unsafe { mallinfo() };
    info.0[7]
}

#[test]
#[expect(clippy::disallowed_methods, reason = "nothing tells when other tests have freed what they had")]
fn a_request_whose_coordinator_may_not_be_looked_for_leaves_nothing_behind() {
    let cluster = MockCluster::new(1).unwrap();
    let brokers = cluster.bootstrap_servers();
    let conf = Conf::new([("bootstrap.servers", brokers.as_str()), ("group.id", "own")]).unwrap();
    let admin = AdminHandle::new(conf, Arc::new(RequestEvents::new(false))).unwrap();
    let refused = RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
    let before = allocated();
    let mut refusals = 0;
    for request in 0..REQUESTS {
        cluster.request_errors(RDKafkaApiKey::FindCoordinator, &[refused]);
        let group = format!("{request:0NAME$}");
        // The client looks for the coordinator of its own group as well, and has some of the refusals.
        if let Err(error) = admin.client().group_offsets(&group, None, AdminOptions::within(DEADLINE)) {
            assert_eq!(error.code, refused as i32, "{error}");
            refusals += 1;
        }
    }
    assert!(refusals > REQUESTS / 2, "{refusals}");
    // Other tests of the process allocate too, and free it again.
    let started = Instant::now();
    let left = || allocated().wrapping_sub(before);
    while left() > (REQUESTS * NAME / 4) as c_int {
        assert!(started.elapsed() < DEADLINE, "{} bytes", left());
        thread::sleep(Duration::from_millis(50));
    }
}
