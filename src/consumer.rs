//! The consumer class that JavaScript sees.

#![expect(clippy::needless_pass_by_value, reason = "Node-API hands arguments over by value")]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use kafka_core::admin::{groups, topics};
use kafka_core::assignor::{
    Assignor, DeferredAssignor, NestReplyPartitionAssigner, RoundRobinAssigner, StartTime,
};
use kafka_core::codec::acks;
use kafka_core::consumer::assignments::{Assignments, AutoCommit};
use kafka_core::consumer::handling::TopicHandling;
use kafka_core::consumer::inbox::{Inbox, TopicSubscription};
use kafka_core::consumer::leader::leader_timeout;
use kafka_core::consumer::members::Members;
use kafka_core::consumer::membership::Membership;
use kafka_core::consumer::uncommitted_starts::UncommittedStarts;
use kafka_core::consumer::{Consumer, Mode, Settings};
use kafka_core::error::{CODE_INVALID_ARG, Error, Result};
use kafka_core::kafka::TopicPartition;
use kafka_core::request_events::RequestEvents;
use kafka_core::rpc::requests::Requests;
use librdkafka::{Conf, ConsumerHandle, Shim};
use napi::bindgen_prelude::{Buffer, Either, Function};
use napi_derive::napi;

use super::admin_types::NativeMetadata;
use super::client::client_methods;
use super::consumer_types::{
    NativeAssigner, NativeConsumerSettings, NativeEnsuredTopics, NativeFiltered, NativeGroup,
    NativeMemberAssignment, NativeOffset, NativePartition, NativeStanding, NativeSubscription, NativeTopic,
};
use super::failure::{Failure, outcome, thrown};
use super::numbers::{Count, Milliseconds};
use super::signal::{ConsumerArgs, ConsumerSink};

/// The consumers of this process that have joined groups, for the transactions of its producers.
pub(super) static MEMBERS: Members<ConsumerHandle> = Members::new();

/// A librdkafka consumer with its poll thread.
#[napi]
pub struct NativeConsumer {
    consumer: Arc<Consumer<ConsumerHandle>>,
    requests: Option<Arc<Requests>>,
    request_events: Arc<RequestEvents>,
    commits_watched: Arc<AtomicBool>,
    uncommitted_starts: Arc<UncommittedStarts>,
    number: u32,
    group: String,
}

#[napi]
impl NativeConsumer {
    /// Creates the client and starts its thread; nothing is subscribed to. `onSignal` is called with a packed batch
    /// or with an event as JSON text. Throws librdkafka's error if it refuses a property.
    #[napi(
        constructor,
        ts_args_type = "properties: Record<string, string>, settings: NativeConsumerSettings, onSignal: (batch: Buffer | null | undefined, event: string | null | undefined) => void"
    )]
    pub fn new(
        properties: HashMap<String, String>,
        settings: NativeConsumerSettings,
        on_signal: Function<'_, ConsumerArgs, ()>,
    ) -> napi::Result<Self> {
        let sink = Arc::new(ConsumerSink::new(&on_signal)?);
        let requests = settings
            .correlation_prefix
            .map(|prefix| Arc::new(Requests::new(prefix, settings.reply_timeout.map(|t| t.0))));
        let assigner = Arc::new(NestReplyPartitionAssigner::new(start_time(settings.process_uptime)));
        let mut deferred = Vec::new();
        let mut assignors: Vec<Arc<dyn Assignor>> = Vec::new();
        for NativeAssigner { name, built_in } in settings.assigners {
            if built_in {
                assignors.push(built_in_assignor(&name, &assigner).map_err(thrown)?);
            } else if !Shim::Assignors.is_on() {
                let text = format!(
                    "the assigner {name:?} is not asked while NESTJS_KAFKA_NATIVE_WITHOUT turns assignors off"
                );
                return Err(thrown(Error::new("install the assignors", CODE_INVALID_ARG, text)));
            } else {
                let one = Arc::new(DeferredAssignor::new(name));
                deferred.push(Arc::clone(&one));
                assignors.push(one);
            }
        }
        let inbox = Arc::new(Inbox::default());
        let request_events = Arc::new(RequestEvents::new(false));
        let commits_watched = Arc::default();
        let uncommitted_starts = Arc::default();
        let membership = Arc::new(Membership::new(inbox, deferred));
        let handle = create(&properties, assignors, Arc::clone(&membership), Arc::clone(&request_events))
            .map_err(thrown)?;
        let settings = Settings {
            mode: Arc::new(match &requests {
                None => Mode::Records,
                Some(requests) => Mode::Replies { requests: Arc::clone(requests), assigner },
            }),
            membership,
            request_events: Arc::clone(&request_events),
            commits_watched: Arc::clone(&commits_watched),
            uncommitted_starts: Arc::clone(&uncommitted_starts),
            leader_timeout: leader_timeout(settings.session_timeout.0),
            auto_commit: AutoCommit {
                enabled: settings.auto_commit,
                threshold: settings.auto_commit_threshold.map(|t| t.0 as usize),
            },
            auto_commit_interval: settings.auto_commit_interval.map(|ms| ms.0.max(Duration::from_millis(1))),
            drain_timeout: settings.drain_timeout.0,
            join_timeout: settings.join_timeout.map(|limit| limit.0),
            rebalance_timeout: settings.rebalance_timeout.0,
            positions_timeout: settings.positions_timeout.0,
            fetch_wait: fetch_wait(&properties),
        };
        let taker = Arc::clone(&sink);
        let consumer = Consumer::start(Arc::new(handle), settings, sink, |intake| taker.connect(intake))
            .map_err(thrown)?;
        let group = properties.get("group.id").cloned().unwrap_or_default();
        let number = MEMBERS.new_number();
        let consumer = Arc::new(consumer);
        Ok(Self { consumer, requests, request_events, commits_watched, uncommitted_starts, number, group })
    }

    /// Describes the cluster: its brokers and all its topics.
    #[napi]
    pub async fn cluster_metadata(
        &self,
        #[napi(ts_arg_type = "number")] timeout: Milliseconds,
    ) -> Either<NativeMetadata, Failure> {
        let ask = async || topics::metadata(self.consumer.client()?, None, timeout.0).await;
        either(ask().await.map(NativeMetadata::from))
    }

    /// Asks for the offsets of timestamps (ms), or of the beginning (-2) or the end (-1). For a timestamp after the
    /// last record, the end's.
    #[napi]
    pub async fn list_offsets(
        &self,
        offsets: Vec<NativeOffset>,
        #[napi(ts_arg_type = "number")] timeout: Milliseconds,
    ) -> Either<Vec<NativeOffset>, Failure> {
        let offsets = offsets.into_iter().map(TopicPartition::from).collect();
        let ask = async || topics::offsets(self.consumer.client()?, offsets, timeout.0).await;
        either(ask().await.map(|found| found.into_iter().map(NativeOffset::from).collect()))
    }

    /// Lists the topics of the cluster.
    #[napi]
    pub async fn list_topics(
        &self,
        #[napi(ts_arg_type = "number")] timeout: Milliseconds,
    ) -> Either<Vec<NativeTopic>, Failure> {
        let list = async || {
            let metadata = topics::metadata(self.consumer.client()?, None, timeout.0).await?;
            let exist = metadata.topics.into_iter().filter(|t| t.error == 0);
            Ok(exist.map(|t| NativeTopic { name: t.name, partitions: t.partitions.len() as u32 }).collect())
        };
        either(list().await)
    }

    /// Makes sure that the topics exist; missing ones are created if `create` says so.
    #[napi]
    pub async fn ensure_topics(
        &self,
        topics: Vec<String>,
        create: bool,
        #[napi(ts_arg_type = "number")] timeout: Milliseconds,
    ) -> Either<NativeEnsuredTopics, Failure> {
        let ensure = async || {
            let ensured = topics::ensure(self.consumer.client()?, topics, create, timeout.0).await?;
            let (missing, reasons) = ensured.missing.into_iter().unzip();
            let topic =
                |(name, partitions): (String, usize)| NativeTopic { name, partitions: partitions as u32 };
            let existing = ensured.existing.into_iter().map(topic).collect();
            Ok(NativeEnsuredTopics { missing, reasons, created: ensured.created, existing })
        };
        either(ensure().await)
    }

    /// The number by which a producer's transactions refer to this consumer.
    #[napi(getter)]
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Joins the group; the assignment arrives as an event. `starts` are the uncommitted ones of the consumer before
    /// this one.
    #[napi]
    pub async fn subscribe(
        &self,
        topics: Vec<NativeSubscription>,
        starts: Vec<NativeOffset>,
    ) -> Option<Failure> {
        let handling = topics.iter().filter_map(|t| {
            let handling = t.handling.as_ref()?;
            Some(TopicHandling::try_from(handling).map(|handling| (t.topic.clone(), handling)))
        });
        match handling.collect::<Result<Vec<_>>>() {
            Ok(handling) => self.consumer.assignments().handle(handling),
            Err(error) => return Some(error.into()),
        }
        for start in starts {
            self.uncommitted_starts.note(&start.into());
        }
        let topics = topics
            .into_iter()
            .map(|t| TopicSubscription {
                topic: t.topic,
                from_beginning: t.from_beginning,
                partitions: t.partitions,
            })
            .collect();
        if let Ok(client) = self.consumer.consumer_client() {
            let known_partitions = self.consumer.assignments().known_partitions();
            MEMBERS.joins(self.number, &self.group, &client, known_partitions);
        }
        outcome(self.consumer.subscribe(topics).await)
    }

    /// Where partitions were started that have no committed offset, because committing their starts has failed so far.
    #[napi]
    #[must_use]
    pub fn uncommitted_starts(&self) -> Vec<NativeOffset> {
        self.uncommitted_starts.all().into_iter().map(NativeOffset::from).collect()
    }

    /// Reads reply partitions from their present ends, without joining the group.
    #[napi]
    pub async fn assign_replies(&self, partitions: Vec<NativePartition>) -> Option<Failure> {
        let partitions =
            partitions.into_iter().map(|p| TopicPartition::at(p.topic, p.partition.0, 0)).collect();
        outcome(self.consumer.assign(partitions).await)
    }

    /// Asks a group's coordinator to describe it.
    #[napi]
    pub async fn describe_group(
        &self,
        group_id: String,
        exists: bool,
        #[napi(ts_arg_type = "number")] timeout: Milliseconds,
    ) -> Either<NativeGroup, Failure> {
        let ask = async || groups::describe(self.consumer.client()?, group_id, exists, timeout.0).await;
        either(ask().await.map(NativeGroup::from))
    }

    /// Commits offsets and resolves with the broker's answer.
    #[napi]
    pub async fn commit(&self, offsets: Vec<NativeOffset>) -> Option<Failure> {
        outcome(self.consumer.commit(offsets.into_iter().map(TopicPartition::from).collect()).await)
    }

    /// Sets the member metadata for an assigner that decides in JavaScript, from the next join on.
    #[napi]
    pub fn set_member_metadata(&self, assigner: String, metadata: Buffer) -> napi::Result<()> {
        self.consumer.set_member_metadata(&assigner, metadata.to_vec()).map_err(thrown)
    }

    /// Answers the event `assignGroup`, by its number. Members that are not named get nothing.
    #[napi]
    pub fn assign_group(
        &self,
        #[napi(ts_arg_type = "number")] request: Count,
        assignments: Vec<NativeMemberAssignment>,
    ) {
        self.consumer.assign_group(request.0, Ok(assignments.into_iter().map(Into::into).collect()));
    }

    /// Answers the event `assignGroup` when the partitions cannot be assigned: the members join again.
    #[napi]
    pub fn group_assignment_failed(&self, #[napi(ts_arg_type = "number")] request: Count, reason: String) {
        self.consumer.assign_group(request.0, Err(reason));
    }

    /// Moves the position of an assigned partition; the event `seek` has the new assignment.
    #[napi]
    pub fn seek(&self, offset: NativeOffset) {
        self.consumer.seek(offset.into());
    }

    /// Moves the partition of an assignment back to its first unfinished record; the event `seek` has the new
    /// assignment.
    #[napi]
    pub fn start_over(&self, #[napi(ts_arg_type = "number")] assignment: Count) {
        self.consumer.start_over(assignment.0);
    }

    /// Takes packed acknowledgements of handled records: the first `wordCount` numbers.
    #[napi]
    pub fn acknowledge(&self, words: &[u32], #[napi(ts_arg_type = "number")] word_count: Count) {
        let assignments = self.consumer.assignments();
        for ack in acks::read(words.get(..word_count.0 as usize).unwrap_or(words)) {
            assignments.acknowledge(ack);
        }
    }

    /// How many records of each topic were filtered: no handler took them.
    #[napi]
    #[must_use]
    pub fn filtered(&self) -> Vec<NativeFiltered> {
        let counts = self.consumer.assignments().filtered().into_iter();
        counts.map(|(topic, count)| NativeFiltered { topic, count: count as f64 }).collect()
    }

    /// Starts or stops the event `commit`.
    #[napi]
    pub fn watch_commits(&self, wanted: bool) {
        self.commits_watched.store(wanted, Ordering::Relaxed);
    }

    /// Requests that wait for a reply.
    #[napi]
    #[must_use]
    pub fn pending_requests(&self) -> u32 {
        self.requests.as_ref().map_or(0, |requests| requests.lock().len() as u32)
    }

    /// How far each assigned partition has been handled, and its high watermark as of the last fetch. Makes no
    /// request.
    #[napi]
    pub fn standings(&self) -> Vec<NativeStanding> {
        let Ok(client) = self.consumer.client() else { return Vec::new() };
        let known = self.consumer.assignments().standings().into_iter();
        known.map(|s| NativeStanding::new(client.high_watermark(&s.topic, s.partition), &s)).collect()
    }

    /// Stops fetching, waits up to `drainTimeout` ms for running handlers, commits, leaves the group and
    /// closes.
    #[napi]
    pub async fn close(&self, #[napi(ts_arg_type = "number")] drain_timeout: Milliseconds) {
        self.consumer.close(drain_timeout.0).await;
    }
}

client_methods!(NativeConsumer, consumer);

impl NativeConsumer {
    pub(super) fn assignments(&self) -> Arc<Assignments> {
        Arc::clone(self.consumer.assignments())
    }

    pub(super) fn requests(&self) -> Option<Arc<Requests>> {
        self.requests.clone()
    }
}

fn create(
    properties: &HashMap<String, String>,
    assignors: Vec<Arc<dyn Assignor>>,
    membership: Arc<Membership>,
    request_events: Arc<RequestEvents>,
) -> Result<ConsumerHandle> {
    let conf = Conf::new(properties.iter().map(|(k, v)| (k.as_str(), v.as_str())))?;
    ConsumerHandle::new(conf, assignors, membership, request_events)
}

fn built_in_assignor(name: &str, replies: &Arc<NestReplyPartitionAssigner>) -> Result<Arc<dyn Assignor>> {
    if name == RoundRobinAssigner.protocol_name() {
        Ok(Arc::new(RoundRobinAssigner))
    } else if name == replies.protocol_name() {
        Ok(Arc::clone(replies) as Arc<dyn Assignor>)
    } else {
        let reason = format!("there is no built-in assigner {name:?}");
        Err(Error::new("create the consumer", CODE_INVALID_ARG, reason))
    }
}

/// How long brokers let fetch requests wait, as configured or librdkafka's default.
fn fetch_wait(properties: &HashMap<String, String>) -> Duration {
    const DEFAULT_MS: u64 = 500;
    let configured = properties.get("fetch.wait.max.ms").and_then(|ms| ms.parse().ok());
    Duration::from_millis(configured.unwrap_or(DEFAULT_MS))
}

fn start_time(process_uptime: f64) -> StartTime {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    StartTime::from_clocks(now, Duration::try_from_secs_f64(process_uptime).unwrap_or_default())
}

pub(super) fn either<T>(result: Result<T>) -> Either<T, Failure> {
    match result {
        Ok(value) => Either::A(value),
        Err(error) => Either::B(error.into()),
    }
}
