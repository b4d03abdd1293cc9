//! Requests of an admin client to the coordinators of groups, against librdkafka's mock cluster.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::mocking::MockCoordinator;
use rdkafka::producer::{BaseProducer, Producer as _};
use rdkafka::types::RDKafkaApiKey;
use rdkafka_sys as sys;

use kafka_core::error::CODE_UNSUPPORTED_FEATURE;
use kafka_core::kafka::EventSource as _;
use kafka_core::request_events::RequestEvents;

use crate::Conf;
use crate::admin::{AdminHandle, AdminOptions};

const GROUP: &str = "readers";
/// How long anything may take before a test gives up.
const DEADLINE: Duration = Duration::from_secs(60);

/// A client of two brokers, whose requests are kept.
struct Rig {
    admin: AdminHandle,
    /// The client whose mock cluster it is.
    owner: BaseProducer,
}

impl Rig {
    fn new() -> Self {
        let owner: BaseProducer = ClientConfig::new().set("test.mock.num.brokers", "2").create().unwrap();
        let brokers = owner.client().mock_cluster().map(|cluster| cluster.bootstrap_servers()).unwrap();
        let conf = Conf::new([("bootstrap.servers", brokers.as_str()), ("group.id", "own")]).unwrap();
        let admin = AdminHandle::new(conf, Arc::new(RequestEvents::new(false))).unwrap();
        let rig = Self { admin, owner };
        // SAFETY: the cluster is alive while its client is.
        unsafe { sys::rd_kafka_mock_start_request_tracking(rig.raw()) };
        rig
    }

    fn raw(&self) -> *mut sys::rd_kafka_mock_cluster_t {
        // SAFETY: the client is alive, and has a cluster.
        unsafe { sys::rd_kafka_handle_mock_cluster(self.owner.client().native_ptr()) }
    }

    fn coordinate_by(&self, broker: i32) {
        let cluster = self.owner.client().mock_cluster().unwrap();
        cluster.coordinator(MockCoordinator::Group(GROUP.to_owned()), broker).unwrap();
    }

    /// The brokers that were asked for offsets, one after the other.
    fn asked(&self) -> Vec<i32> {
        let mut count = 0;
        // SAFETY: the cluster is alive while its client is; the array has so many requests, and is destroyed once.
        unsafe {
            let requests = sys::rd_kafka_mock_get_requests(self.raw(), &raw mut count);
            let all = (0..count).map(|at| *requests.add(at));
            let asked = all
                .filter(|&request| {
                    sys::rd_kafka_mock_request_api_key(request) == RDKafkaApiKey::OffsetFetch as i16
                })
                .map(|request| sys::rd_kafka_mock_request_id(request))
                .collect();
            sys::rd_kafka_mock_request_destroy_array(requests, count);
            asked
        }
    }

    fn fetch_offsets(&self) {
        self.admin.client().group_offsets(GROUP, None, AdminOptions::within(DEADLINE)).unwrap();
    }
}

// It was asked for as long as it answered, though what it answers is that it is not the coordinator.
#[test]
fn a_request_goes_to_the_coordinator_that_there_is_now() {
    let rig = Rig::new();
    for broker in [1, 2, 1] {
        rig.coordinate_by(broker);
        rig.fetch_offsets();
    }
    assert_eq!(rig.asked(), [1, 2, 1]);
}

// Each of them released the client's queue once more than it was held: the third call read freed memory.
#[test]
fn requests_that_brokers_do_not_know_leave_the_client_as_it_was() {
    let rig = Rig::new();
    rig.coordinate_by(1);
    for _ in 0..10 {
        let outcomes =
            rig.admin.client().delete_groups(&[GROUP.to_owned()], AdminOptions::within(DEADLINE)).unwrap();
        let errors: Vec<_> = outcomes.iter().map(|outcome| outcome.error).collect();
        assert_eq!(errors, [CODE_UNSUPPORTED_FEATURE]);
    }
    rig.fetch_offsets();
}
