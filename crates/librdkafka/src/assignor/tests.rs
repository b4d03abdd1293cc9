//! Tests of the hook in real librdkafka clients, against librdkafka's mock cluster.

use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka_sys as sys;
use sys::rd_kafka_type_t::{RD_KAFKA_CONSUMER, RD_KAFKA_PRODUCER};

use kafka_core::assignor::{
    Assignment, Assignor, DeferredAssignor, GivenPartitions, Join, JoinWatch, Member,
    NestReplyPartitionAssigner, RoundRobinAssigner, StartTime,
};

use super::{AssignorError, Hook, Joins, prepare};
use crate::private::shifted::elsewhere;

const TOPIC: &str = "service.reply";
const PARTITIONS: i32 = 3;
/// How long a rebalance may take before a test gives up. The mock broker delays one by about a second.
const DEADLINE: Duration = Duration::from_secs(30);

/// A watch that holds no response.
struct Unwatched;

impl JoinWatch for Unwatched {
    fn joined(&self, _: Join) -> bool {
        false
    }
}

/// A handle, destroyed when dropped. Its configuration is prepared.
struct Client {
    rk: *mut sys::rd_kafka_t,
    hook: Option<Hook>,
    joins: Joins,
}

impl Client {
    fn new(kind: sys::rd_kafka_type_t, settings: &[(&str, &str)]) -> Self {
        Self::watched(kind, settings, Arc::new(Unwatched))
    }

    fn watched(kind: sys::rd_kafka_type_t, settings: &[(&str, &str)], watch: Arc<dyn JoinWatch>) -> Self {
        let mut error = [0 as c_char; 512];
        // SAFETY: The configuration is new, and goes to rd_kafka_new() unless a setting is wrong.
        let (rk, hook) = unsafe {
            let conf = sys::rd_kafka_conf_new();
            for (name, value) in settings {
                let (name, value) = (CString::new(*name).unwrap(), CString::new(*value).unwrap());
                sys::rd_kafka_conf_set(conf, name.as_ptr(), value.as_ptr(), error.as_mut_ptr(), error.len());
            }
            let hook = prepare(conf, watch).unwrap();
            (sys::rd_kafka_new(kind, conf, error.as_mut_ptr(), error.len()), hook)
        };
        // SAFETY: librdkafka ends its error texts with a NUL.
        assert!(!rk.is_null(), "{:?}", unsafe { CStr::from_ptr(error.as_ptr()) });
        let joins = hook.joins();
        Self { rk, hook: Some(hook), joins }
    }

    /// A member of a group at `bootstrap`, with an assignor, not subscribed yet.
    fn member(bootstrap: &str, assignors: Vec<Arc<dyn Assignor>>) -> Self {
        Self::watched_member(bootstrap, assignors, Arc::new(Unwatched))
    }

    fn watched_member(bootstrap: &str, assignors: Vec<Arc<dyn Assignor>>, watch: Arc<dyn JoinWatch>) -> Self {
        let mut client = Self::unregistered_member(bootstrap, watch);
        client.register(assignors).unwrap();
        client
    }

    /// A member without its assignors.
    fn unregistered_member(bootstrap: &str, watch: Arc<dyn JoinWatch>) -> Self {
        Self::watched(
            RD_KAFKA_CONSUMER,
            &[
                ("bootstrap.servers", bootstrap),
                ("group.id", "group"),
                ("session.timeout.ms", "2000"),
                ("heartbeat.interval.ms", "100"),
            ],
            watch,
        )
    }

    fn register(&mut self, assignors: Vec<Arc<dyn Assignor>>) -> Result<(), AssignorError> {
        // SAFETY: The handle was made from what the hook was prepared with, and is not subscribed.
        unsafe { self.hook.take().unwrap().register(self.rk, assignors) }
    }

    fn subscribe(&self) {
        let topic = CString::new(TOPIC).unwrap();
        // SAFETY: The handle is valid; the list is copied.
        unsafe {
            let topics = sys::rd_kafka_topic_partition_list_new(1);
            sys::rd_kafka_topic_partition_list_add(topics, topic.as_ptr(), -1);
            assert_eq!(sys::rd_kafka_subscribe(self.rk, topics) as i32, 0);
            sys::rd_kafka_topic_partition_list_destroy(topics);
        }
    }

    /// Serves the client's events for a moment. Without a rebalance callback, librdkafka assigns by itself.
    fn poll(&self) {
        // SAFETY: The handle is valid; a message is destroyed once.
        unsafe {
            let message = sys::rd_kafka_consumer_poll(self.rk, 20);
            if !message.is_null() {
                sys::rd_kafka_message_destroy(message);
            }
        }
    }

    fn assigned(&self) -> Vec<i32> {
        let mut list = ptr::null_mut();
        // SAFETY: The handle is valid; the list is ours to destroy, and has `cnt` elements.
        unsafe {
            assert_eq!(sys::rd_kafka_assignment(self.rk, &raw mut list) as i32, 0);
            let mut partitions: Vec<i32> =
                (0..(*list).cnt as usize).map(|i| (*(*list).elems.add(i)).partition).collect();
            sys::rd_kafka_topic_partition_list_destroy(list);
            partitions.sort_unstable();
            partitions
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // SAFETY: Made by rd_kafka_new(), and used no more afterwards.
        unsafe {
            self.joins.let_go(true);
            sys::rd_kafka_destroy(self.rk);
        }
    }
}

/// Polls until the condition `holds` is true.
fn poll_until(clients: &[&Client], what: &str, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < DEADLINE, "{what} did not come true");
        for client in clients {
            client.poll();
        }
    }
}

/// A mock cluster with the topic, in a client that destroys it.
fn mock_cluster() -> (Client, String) {
    let host = Client::new(RD_KAFKA_PRODUCER, &[("test.mock.num.brokers", "1")]);
    let topic = CString::new(TOPIC).unwrap();
    // SAFETY: The handle is valid and has a cluster, whose bootstrap servers are a string.
    let bootstrap = unsafe {
        let cluster = sys::rd_kafka_handle_mock_cluster(host.rk);
        // The default is longer than the members' session time-out.
        sys::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 100);
        assert_eq!(sys::rd_kafka_mock_topic_create(cluster, topic.as_ptr(), PARTITIONS, 1) as i32, 0);
        CStr::from_ptr(sys::rd_kafka_mock_cluster_bootstraps(cluster)).to_str().unwrap().to_owned()
    };
    (host, bootstrap)
}

fn started_at(seconds: u64) -> Arc<NestReplyPartitionAssigner> {
    Arc::new(NestReplyPartitionAssigner::new(StartTime { seconds, nanoseconds: 0 }))
}

#[test]
fn a_member_keeps_its_reply_partition_while_another_joins_and_leaves() {
    let (_host, bootstrap) = mock_cluster();
    let (first, second) = (started_at(1), started_at(2));

    let a = Client::member(&bootstrap, vec![Arc::clone(&first) as Arc<dyn Assignor>]);
    a.subscribe();
    poll_until(&[&a], "the only member owns everything", || a.assigned() == [0, 1, 2]);
    assert_eq!(first.reply_partition(TOPIC), Some(0));

    let b = Client::member(&bootstrap, vec![Arc::clone(&second) as Arc<dyn Assignor>]);
    b.subscribe();
    poll_until(&[&a, &b], "the second member has a partition", || {
        second.reply_partition(TOPIC).is_some() && a.assigned().len() == 2 && b.assigned().len() == 1
    });
    assert_eq!((first.reply_partition(TOPIC), second.reply_partition(TOPIC)), (Some(0), Some(1)));
    assert_eq!((a.assigned(), b.assigned()), (vec![0, 2], vec![1]));

    drop(a);
    poll_until(&[&b], "the second member owns everything", || b.assigned() == [0, 1, 2]);
    assert_eq!(second.reply_partition(TOPIC), Some(1), "though partition 0 is its own now");

    drop(b);
    assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second)), (1, 1), "freed with the clients");
}

/// As leader it fails, then panics, then works; every other method panics.
struct Unreliable(AtomicUsize);

impl Assignor for Unreliable {
    fn protocol_name(&self) -> &'static str {
        "unreliable"
    }
    fn user_data(&self) -> Vec<u8> {
        panic!("in user_data, on purpose")
    }
    fn assign(
        &self,
        _: &str,
        members: &[Member],
        topics: &[(String, i32)],
    ) -> Result<Vec<Assignment>, String> {
        match self.0.fetch_add(1, Ordering::Relaxed) {
            0 => Err("on purpose, and longer than the buffer ".repeat(100)),
            1 => panic!("in assign, on purpose"),
            2 => Ok(Vec::new()),
            _ => RoundRobinAssigner.assign("", members, topics),
        }
    }
    fn on_assignment(&self, _: &Assignment) {
        panic!("in on_assignment, on purpose")
    }
}

#[test]
fn errors_and_panics_stay_inside() {
    let (_host, bootstrap) = mock_cluster();
    let unreliable: Arc<dyn Assignor> = Arc::new(Unreliable(AtomicUsize::new(0)));
    let a = Client::member(&bootstrap, vec![unreliable, Arc::new(RoundRobinAssigner)]);
    a.subscribe();
    poll_until(&[&a], "everything is assigned in the end", || a.assigned() == [0, 1, 2]);
}

#[test]
fn a_client_of_another_layout_gets_no_assignors() {
    let mut client = Client::new(RD_KAFKA_CONSUMER, &[("group.id", "group")]);
    let refused = elsewhere(|| client.register(vec![Arc::new(RoundRobinAssigner)])).unwrap_err();
    assert!(matches!(refused, AssignorError::Layout));
    assert!(refused.to_string().contains("NESTJS_KAFKA_NATIVE_WITHOUT=assignors"), "{refused}");
}

/// Holds the response of every generation that its member leads.
#[derive(Default)]
struct Holding(Mutex<Option<Join>>);

impl JoinWatch for Holding {
    fn joined(&self, join: Join) -> bool {
        let leads = join.leader == join.member;
        *self.0.lock().unwrap() = Some(join);
        leads
    }
}

#[test]
fn the_group_waits_while_its_response_is_held() {
    let (_host, bootstrap) = mock_cluster();
    let (watch, assignor) = (Arc::new(Holding::default()), Arc::new(DeferredAssignor::new("range".into())));
    // As kafkajs's AssignorProtocol encodes it: version 0, the topic, no user data.
    let mut metadata = vec![0, 0, 0, 0, 0, 1, 0, 13];
    metadata.extend_from_slice(TOPIC.as_bytes());
    metadata.extend([0, 0, 0, 0]);
    assignor.set_metadata(metadata.clone());
    let a = Client::watched_member(
        &bootstrap,
        vec![Arc::clone(&assignor) as Arc<dyn Assignor>],
        Arc::clone(&watch) as Arc<dyn JoinWatch>,
    );
    // SAFETY: The handle is alive.
    let let_go = |for_good| unsafe { a.joins.let_go(for_good) };
    let join = || watch.0.lock().unwrap().clone();
    let_go(false); // Nothing is held yet, which does no harm.
    a.subscribe();
    poll_until(&[&a], "the response is held", || join().is_some());
    let first = join().unwrap();
    assert_eq!((first.protocol.as_str(), first.members.len()), ("range", 1));
    assert_eq!(first.members[0].metadata, metadata, "word for word");
    let wait = Instant::now();
    poll_until(&[&a], "a second has passed", || wait.elapsed() > Duration::from_secs(1));
    assert_eq!((a.assigned(), join()), (Vec::new(), Some(first.clone())), "nothing goes on meanwhile");

    // Without a decision the member joins anew.
    let_go(false);
    poll_until(&[&a], "another generation begins", || join() != Some(first.clone()));

    let second = join().unwrap();
    let assignment = [(TOPIC.to_owned(), vec![1, 2])].into_iter().collect();
    let given = GivenPartitions { assignment, user_data: b"more".to_vec() };
    assignor.decide(Ok([(second.member.clone(), given)].into_iter().collect()));
    let_go(false);
    poll_until(&[&a], "what was decided is assigned", || a.assigned() == [1, 2]);
}

/// Lets a response go before it has said whether that is to be held: another thread may be as quick.
struct Hasty {
    holds: bool,
    joins: Mutex<Option<Joins>>,
}

impl JoinWatch for Hasty {
    fn joined(&self, _: Join) -> bool {
        let joins = self.joins.lock().unwrap();
        // SAFETY: The client is alive while it calls.
        unsafe { joins.as_ref().unwrap().let_go(false) };
        self.holds
    }
}

#[test]
fn a_response_that_is_let_go_at_once_is_not_held() {
    for holds in [true, false] {
        let (_host, bootstrap) = mock_cluster();
        let watch = Arc::new(Hasty { holds, joins: Mutex::default() });
        let mut a = Client::unregistered_member(&bootstrap, Arc::clone(&watch) as Arc<dyn JoinWatch>);
        *watch.joins.lock().unwrap() = a.hook.as_ref().map(Hook::joins);
        a.register(vec![Arc::new(RoundRobinAssigner)]).unwrap();
        a.subscribe();
        poll_until(&[&a], "the group goes on", || a.assigned() == [0, 1, 2]);
    }
}

#[test]
fn a_client_whose_response_is_held_can_be_destroyed() {
    let (_host, bootstrap) = mock_cluster();
    let (watch, assignor) = (Arc::new(Holding::default()), Arc::new(DeferredAssignor::new("own".into())));
    let a = Client::watched_member(
        &bootstrap,
        vec![Arc::clone(&assignor) as Arc<dyn Assignor>],
        Arc::clone(&watch) as Arc<dyn JoinWatch>,
    );
    a.subscribe();
    poll_until(&[&a], "the response is held", || watch.0.lock().unwrap().is_some());
    drop(a);
    assert_eq!((Arc::strong_count(&watch), Arc::strong_count(&assignor)), (1, 1), "freed with the client");
}

#[test]
fn refuses_what_cannot_work() {
    fn reason(result: Result<(), AssignorError>) -> String {
        result.unwrap_err().to_string()
    }
    let round_robin = || -> Vec<Arc<dyn Assignor>> { vec![Arc::new(RoundRobinAssigner)] };
    let group = || Client::new(RD_KAFKA_CONSUMER, &[("group.id", "group")]);

    assert!(matches!(group().register(Vec::new()), Err(AssignorError::Empty)));
    let twice = [round_robin(), round_robin()].concat();
    assert!(reason(group().register(twice)).contains("RoundRobinAssigner"));
    assert!(matches!(
        Client::new(RD_KAFKA_PRODUCER, &[]).register(round_robin()),
        Err(AssignorError::NoClassicGroup)
    ));
    let consumer_protocol = [("group.id", "group"), ("group.protocol", "consumer")];
    assert!(matches!(
        Client::new(RD_KAFKA_CONSUMER, &consumer_protocol).register(round_robin()),
        Err(AssignorError::NoClassicGroup)
    ));

    let (mut one, mut other) = (group(), group());
    std::mem::swap(&mut one.hook, &mut other.hook);
    assert!(matches!(one.register(round_robin()), Err(AssignorError::ForeignHandle)));

    // SAFETY: The configuration is new, and destroyed once.
    unsafe {
        let conf = sys::rd_kafka_conf_new();
        let first = prepare(conf, Arc::new(Unwatched));
        assert!(first.is_ok());
        assert!(matches!(prepare(conf, Arc::new(Unwatched)), Err(AssignorError::AlreadyPrepared)));
        sys::rd_kafka_conf_destroy(conf);
    }
}

/// A watch that counts when it is freed.
struct Counted(Arc<AtomicUsize>);

impl JoinWatch for Counted {
    fn joined(&self, _: Join) -> bool {
        false
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_configuration_that_is_refused_frees_what_was_prepared_once() {
    let freed = Arc::new(AtomicUsize::new(0));
    let mut error = [0 as c_char; 512];
    // SAFETY: The configuration is new, and destroyed once, since rd_kafka_new() leaves it when it fails.
    unsafe {
        let conf = sys::rd_kafka_conf_new();
        for (name, value) in [(c"security.protocol", c"ssl"), (c"ssl.ca.location", c"/none")] {
            sys::rd_kafka_conf_set(conf, name.as_ptr(), value.as_ptr(), error.as_mut_ptr(), error.len());
        }
        assert!(prepare(conf, Arc::new(Counted(Arc::clone(&freed)))).is_ok());
        let rk = sys::rd_kafka_new(RD_KAFKA_CONSUMER, conf, error.as_mut_ptr(), error.len());
        assert!(rk.is_null());
        sys::rd_kafka_conf_destroy(conf);
    }
    assert_eq!(freed.load(Ordering::Relaxed), 1);
}
