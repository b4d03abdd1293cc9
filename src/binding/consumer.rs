//! The consumer class that JavaScript sees.

#![expect(clippy::needless_pass_by_value, reason = "Node-API hands arguments over by value")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use napi::bindgen_prelude::{Buffer, Either, Function};
use napi_derive::napi;

use super::bearer::NativeBearerToken;
use super::failure::{Failure, outcome, thrown};
use super::librdkafka::{Conf, Group, Handle, Partition};
use super::signal::{ConsumerArgs, ConsumerSink};
use crate::admin::{groups, topics};
use crate::assignor::{Assignor, NestReplyPartitionAssigner, RoundRobinAssigner, StartTime};
use crate::codec::outgoing::{Outgoing, Reader};
use crate::consumer::inbox::TopicSubscription;
use crate::consumer::slots::{AutoCommit, Slots};
use crate::consumer::{Consumer, Mode, Settings};
use crate::error::Result;
use crate::rpc::requests::Requests;

/// Events that a consumer queues instead of calling back.
const EVENTS: i32 = rdkafka_sys::RD_KAFKA_EVENT_REBALANCE
    | rdkafka_sys::RD_KAFKA_EVENT_OFFSET_COMMIT
    | rdkafka_sys::RD_KAFKA_EVENT_ERROR
    | rdkafka_sys::RD_KAFKA_EVENT_LOG
    | rdkafka_sys::RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH
    | rdkafka_sys::RD_KAFKA_EVENT_STATS;

/// How a native consumer behaves.
#[napi(object)]
pub struct NativeConsumerSettings {
    /// Random prefix of this client's correlation ids. Makes the consumer hand out only the replies to
    /// pending requests.
    pub correlation_prefix: Option<String>,
    /// How long a request waits for its first reply (ms).
    pub reply_timeout: Option<u32>,
    /// Seconds that this process has been up (`process.uptime()`): the group gives reply partitions to the
    /// processes in the order in which they started.
    pub process_uptime: f64,
    /// Whether the group is joined with kafkajs's `RoundRobinAssigner` (replies: NestJS's
    /// `NestReplyPartitionAssigner`) instead of librdkafka's `partition.assignment.strategy`.
    pub kafkajs_assignor: bool,
    /// Whether done records are committed without being asked.
    pub auto_commit: bool,
    /// Also commit at this interval (ms).
    pub auto_commit_interval: Option<u32>,
    /// Also commit when so many records have finished.
    pub auto_commit_threshold: Option<u32>,
    /// How long running handlers may take when partitions are given up (ms).
    pub drain_timeout: u32,
    /// Time limit of the consumer's own requests (ms).
    pub request_timeout: u32,
}

/// A topic to subscribe to.
#[napi(object)]
pub struct NativeSubscription {
    /// Topic name.
    pub topic: String,
    /// Where to start without a committed offset.
    pub from_beginning: bool,
}

/// A topic partition and an offset.
#[napi(object)]
pub struct NativeOffset {
    /// Topic name.
    pub topic: String,
    /// Partition number.
    pub partition: i32,
    /// Absolute offset, or -2 (beginning) or -1 (end) for a seek.
    pub offset: i64,
    /// Metadata to commit with it.
    pub metadata: Option<String>,
}

impl From<NativeOffset> for Partition {
    fn from(o: NativeOffset) -> Self {
        Self { metadata: o.metadata.map(String::into_bytes), ..Self::at(o.topic, o.partition, o.offset) }
    }
}

/// A consumer group.
#[napi(object)]
pub struct NativeGroup {
    /// `Stable`, `PreparingRebalance`, `Empty`, …
    pub state: String,
    /// `consumer`, or empty for a group without members.
    pub protocol_type: String,
    /// Name of the assignor that the members agreed on.
    pub protocol: String,
    /// Its members.
    pub members: Vec<NativeGroupMember>,
}

/// A member of a group.
#[napi(object)]
pub struct NativeGroupMember {
    /// Member id.
    pub member_id: String,
    /// Client id.
    pub client_id: String,
    /// Host that it connects from.
    pub client_host: String,
    /// Subscription, as the group's protocol encodes it.
    pub member_metadata: Buffer,
    /// Assignment, as the group's protocol encodes it.
    pub member_assignment: Buffer,
}

impl From<Group> for NativeGroup {
    fn from(group: Group) -> Self {
        let members = group.members.into_iter().map(|m| NativeGroupMember {
            member_id: m.id,
            client_id: m.client_id,
            client_host: m.client_host,
            member_metadata: m.metadata.into(),
            member_assignment: m.assignment.into(),
        });
        Self {
            members: members.collect(),
            state: group.state,
            protocol_type: group.protocol_type,
            protocol: group.protocol,
        }
    }
}

/// A topic partition.
#[napi(object)]
pub struct NativePartition {
    /// Topic name.
    pub topic: String,
    /// Partition number.
    pub partition: i32,
}

/// A topic of the cluster.
#[napi(object)]
pub struct NativeTopic {
    /// Name.
    pub name: String,
    /// Number of partitions.
    pub partitions: u32,
}

/// What became of the topics to subscribe to.
#[napi(object)]
pub struct NativeEnsuredTopics {
    /// Topics that do not exist.
    pub missing: Vec<String>,
    /// Why, in the same order.
    pub reasons: Vec<String>,
    /// Topics that were created.
    pub created: Vec<String>,
}

/// A librdkafka consumer with its poll thread.
#[napi]
pub struct NativeConsumer {
    consumer: Arc<Consumer>,
    requests: Option<Arc<Requests>>,
}

#[napi]
impl NativeConsumer {
    /// Creates the client and starts its thread; nothing is subscribed to. `onSignal` is called with a packed
    /// batch or with an event as JSON text. Throws what librdkafka has against the properties.
    #[napi(
        constructor,
        ts_args_type = "properties: Record<string, string>, settings: NativeConsumerSettings, onSignal: (batch: Buffer | null | undefined, event: string | null | undefined) => void"
    )]
    pub fn new(
        properties: HashMap<String, String>,
        settings: NativeConsumerSettings,
        on_signal: Function<'_, ConsumerArgs, ()>,
    ) -> napi::Result<Self> {
        let sink = ConsumerSink::wrap(&on_signal)?;
        let requests = settings
            .correlation_prefix
            .map(|prefix| Arc::new(Requests::new(prefix, settings.reply_timeout.map(millis))));
        let assigner = Arc::new(NestReplyPartitionAssigner::new(start_time(settings.process_uptime)));
        let assignors: Vec<Arc<dyn Assignor>> = match (&requests, settings.kafkajs_assignor) {
            (_, false) => Vec::new(),
            (None, true) => vec![Arc::new(RoundRobinAssigner)],
            (Some(_), true) => vec![Arc::clone(&assigner) as Arc<dyn Assignor>],
        };
        let handle = create(&properties, assignors).map_err(thrown)?;
        let settings = Settings {
            mode: match &requests {
                None => Mode::Records,
                Some(requests) => Mode::Replies { requests: Arc::clone(requests), assigner },
            },
            auto_commit: AutoCommit {
                enabled: settings.auto_commit,
                threshold: settings.auto_commit_threshold.map(|t| t as usize),
            },
            auto_commit_interval: settings.auto_commit_interval.map(|ms| millis(ms.max(1))),
            drain_timeout: millis(settings.drain_timeout),
            request_timeout: millis(settings.request_timeout),
        };
        let consumer = Consumer::start(handle, settings, |inbox| sink.connect(inbox)).map_err(thrown)?;
        Ok(Self { consumer: Arc::new(consumer), requests })
    }

    /// Resolves once a broker has answered, at most after `timeout` ms.
    #[napi]
    pub async fn connect(&self, timeout: u32) -> Option<Failure> {
        outcome(match self.consumer.handle() {
            Ok(handle) => topics::ping(handle, millis(timeout)).await,
            Err(error) => Err(error),
        })
    }

    /// Lists the topics of the cluster.
    #[napi]
    pub async fn list_topics(&self, timeout: u32) -> Either<Vec<NativeTopic>, Failure> {
        let list = async || {
            let metadata = topics::metadata(self.consumer.handle()?, None, millis(timeout)).await?;
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
        timeout: u32,
    ) -> Either<NativeEnsuredTopics, Failure> {
        let ensure = async || {
            let ensured = topics::ensure(self.consumer.handle()?, topics, create, millis(timeout)).await?;
            let (missing, reasons) = ensured.missing.into_iter().unzip();
            Ok(NativeEnsuredTopics { missing, reasons, created: ensured.created })
        };
        either(ensure().await)
    }

    /// Joins the group; the assignment arrives as an event.
    #[napi]
    pub async fn subscribe(&self, topics: Vec<NativeSubscription>) -> Option<Failure> {
        let topics = topics
            .into_iter()
            .map(|t| TopicSubscription { topic: t.topic, from_beginning: t.from_beginning })
            .collect();
        outcome(self.consumer.subscribe(topics).await)
    }

    /// Reads reply partitions from their present ends on, without joining the group.
    #[napi]
    pub async fn assign_replies(&self, partitions: Vec<NativePartition>) -> Option<Failure> {
        let partitions = partitions.into_iter().map(|p| Partition::at(p.topic, p.partition, 0)).collect();
        outcome(self.consumer.assign(partitions).await)
    }

    /// Asks a group's coordinator to describe it.
    #[napi]
    pub async fn describe_group(&self, group_id: String, timeout: u32) -> Either<NativeGroup, Failure> {
        let ask = async || groups::describe(self.consumer.handle()?, group_id, millis(timeout)).await;
        either(ask().await.map(NativeGroup::from))
    }

    /// Commits offsets and resolves with the broker's answer.
    #[napi]
    pub async fn commit(&self, offsets: Vec<NativeOffset>) -> Option<Failure> {
        outcome(self.consumer.commit(offsets.into_iter().map(Partition::from).collect()).await)
    }

    /// Moves the position of an assigned partition; an event tells the new slot.
    #[napi]
    pub fn seek(&self, offset: NativeOffset) {
        self.consumer.seek(offset.into());
    }

    /// Takes packed marks about handled records, for a consumer whose replies no producer sends.
    #[napi]
    pub fn settle(&self, words: &[u32], word_count: u32) {
        let words = words.get(..word_count as usize).unwrap_or(words);
        for entry in Reader::new(words, &[]).flatten() {
            match entry {
                Outgoing::Settled { slot, sequence, flags } => {
                    self.consumer.slots().settle(slot, sequence, flags);
                }
                Outgoing::Released { slot } => self.consumer.slots().released(slot),
                _ => {}
            }
        }
    }

    /// Answers the event `tokenWanted`.
    #[napi]
    pub fn set_bearer_token(&self, token: NativeBearerToken) -> napi::Result<()> {
        self.consumer.handle().and_then(|handle| handle.set_bearer_token(token.into())).map_err(thrown)
    }

    /// Answers the event `tokenWanted` when there is no token; it comes again ten seconds later.
    #[napi]
    pub fn set_bearer_token_failure(&self, reason: String) -> napi::Result<()> {
        self.consumer.handle().and_then(|handle| handle.set_bearer_token_failure(reason)).map_err(thrown)
    }

    /// Requests that wait for a reply.
    #[napi]
    #[must_use]
    pub fn pending_requests(&self) -> u32 {
        self.requests.as_ref().map_or(0, |requests| requests.lock().len() as u32)
    }

    /// Stops fetching, waits up to `drainTimeout` ms for running handlers, commits, leaves the group and
    /// closes.
    #[napi]
    pub async fn close(&self, drain_timeout: u32) {
        self.consumer.close(millis(drain_timeout)).await;
    }
}

impl NativeConsumer {
    pub(super) fn slots(&self) -> Arc<Slots> {
        Arc::clone(self.consumer.slots())
    }

    pub(super) fn requests(&self) -> Option<Arc<Requests>> {
        self.requests.clone()
    }
}

fn create(properties: &HashMap<String, String>, assignors: Vec<Arc<dyn Assignor>>) -> Result<Arc<Handle>> {
    let conf = Conf::new(properties.iter().map(|(k, v)| (k.as_str(), v.as_str())))?.with_events(EVENTS);
    Handle::consumer(conf, assignors)
}

fn start_time(process_uptime: f64) -> StartTime {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    StartTime::from_clocks(now, Duration::try_from_secs_f64(process_uptime).unwrap_or_default())
}

pub(super) fn millis(ms: u32) -> Duration {
    Duration::from_millis(u64::from(ms))
}

pub(super) fn either<T>(result: Result<T>) -> Either<T, Failure> {
    match result {
        Ok(value) => Either::A(value),
        Err(error) => Either::B(error.into()),
    }
}
