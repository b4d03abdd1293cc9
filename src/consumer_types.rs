//! Arguments and results of a consumer, as JavaScript sees them.

use kafka_core::assignor::{Assignment, GivenPartitions};
use kafka_core::consumer::assignments::Standing;
use kafka_core::consumer::handling::{Order, TopicHandling};
use kafka_core::consumer::routes::{MOST_SHARED, Route, Routes, Wanted};
use kafka_core::error::{CODE_INVALID_ARG, Error, Result};
use kafka_core::kafka::{Group, TopicPartition};
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

use super::numbers::{Count, Milliseconds, Offset, PartitionNumber};

/// How a native consumer behaves.
#[napi(object)]
pub struct NativeConsumerSettings {
    /// Random prefix of this client's correlation ids. Makes the consumer hand out only the replies to
    /// pending requests.
    pub correlation_prefix: Option<String>,
    /// How long a request waits for its first reply (ms).
    #[napi(ts_type = "number")]
    pub reply_timeout: Option<Milliseconds>,
    /// Seconds that this process has been up (`process.uptime()`): the group gives reply partitions to the
    /// processes in the order in which they started.
    pub process_uptime: f64,
    /// The assigners that the group is joined with, the preferred first. Empty for those of librdkafka's
    /// `partition.assignment.strategy`.
    pub assigners: Vec<NativeAssigner>,
    /// How long without a heartbeat until the coordinator removes the member from the group (ms).
    #[napi(ts_type = "number")]
    pub session_timeout: Milliseconds,
    /// Whether offsets of finished records are committed automatically.
    pub auto_commit: bool,
    /// Also commit at this interval (ms).
    #[napi(ts_type = "number")]
    pub auto_commit_interval: Option<Milliseconds>,
    /// Also commit when this many records have finished.
    #[napi(ts_type = "number")]
    pub auto_commit_threshold: Option<Count>,
    /// How long running handlers may take when partitions are revoked (ms).
    #[napi(ts_type = "number")]
    pub drain_timeout: Milliseconds,
    /// How long the first join may fail (ms); no limit by default.
    #[napi(ts_type = "number")]
    pub join_timeout: Option<Milliseconds>,
    /// How long the group waits for its members in a rebalance (ms).
    #[napi(ts_type = "number")]
    pub rebalance_timeout: Milliseconds,
    /// Time limit for finding out or changing where a partition is read from (ms).
    #[napi(ts_type = "number")]
    pub positions_timeout: Milliseconds,
}

/// An assigner that a group may be joined with.
#[napi(object)]
pub struct NativeAssigner {
    /// Its name on the wire.
    pub name: String,
    /// Whether the partitions are assigned by this binding (`RoundRobinAssigner`, for replies
    /// `NestReplyPartitionAssigner`) or in JavaScript: then the leader gets the event `assignGroup`.
    pub built_in: bool,
}

/// The assignment of a member of the group.
#[napi(object)]
pub struct NativeMemberAssignment {
    /// Member id.
    pub member_id: String,
    /// Its partitions.
    pub partitions: Vec<NativePartition>,
    /// The user data of the assignment.
    pub user_data: Buffer,
}

impl From<NativeMemberAssignment> for (String, GivenPartitions) {
    fn from(given: NativeMemberAssignment) -> Self {
        let mut assignment = Assignment::new();
        for NativePartition { topic, partition } in given.partitions {
            assignment.entry(topic).or_default().push(partition.0);
        }
        (given.member_id, GivenPartitions { assignment, user_data: given.user_data.to_vec() })
    }
}

/// A topic to subscribe to.
#[napi(object)]
pub struct NativeSubscription {
    /// Topic name.
    pub topic: String,
    /// Where to start without a committed offset.
    pub from_beginning: bool,
    /// How many partitions the topic had when the consumer first saw it, 0 if it did not exist. Partitions beyond
    /// that are new.
    pub partitions: Option<i32>,
    /// How its records are handed out, if not one after the other to one handler.
    pub handling: Option<NativeTopicHandling>,
}

/// How the records of a topic are handed out.
#[napi(object)]
pub struct NativeTopicHandling {
    /// Which records wait for one another: all of a partition, those of one key, or none (`partition`, `key`,
    /// `none`).
    pub order: String,
    /// Set if records may finish in any order: how many offsets beyond the lowest unfinished one are handed out.
    #[napi(ts_type = "number")]
    pub window: Option<Count>,
    /// Handlers that run at once.
    #[napi(ts_type = "number")]
    pub concurrency: Count,
    /// The handlers' conditions on a record's headers. Without them, all records are handed out.
    pub routes: Option<Vec<NativeRoute>>,
    /// Whether all matching handlers (at most 32) take a record, not only the first.
    pub shared: bool,
    /// Whether there is a handler for records that none of these takes.
    pub rest: bool,
    /// Records of a partition that JavaScript may hold unhandled, if more than usual.
    #[napi(ts_type = "number")]
    pub most_records: Option<Count>,
    /// Bytes of a partition that JavaScript may hold unhandled, if more than usual.
    #[napi(ts_type = "number")]
    pub most_bytes: Option<Count>,
    /// Whether their offsets are committed in transactions.
    pub transactional: bool,
}

/// A handler's conditions on a record's headers, all of which must hold.
#[napi(object)]
pub struct NativeRoute {
    /// The conditions.
    pub headers: Vec<NativeHeaderFilter>,
}

/// A condition on a header.
#[napi(object)]
pub struct NativeHeaderFilter {
    /// Its name.
    pub name: String,
    /// The values, one of which it must have; without them the header must be absent or null.
    pub values: Option<Vec<String>>,
}

impl TryFrom<&NativeTopicHandling> for TopicHandling {
    type Error = Error;

    fn try_from(handling: &NativeTopicHandling) -> Result<Self> {
        let order = match handling.order.as_str() {
            "partition" => Order::Partition,
            "key" => Order::Key,
            "none" => Order::None,
            other => {
                return Err(Error::new(
                    "subscribe",
                    CODE_INVALID_ARG,
                    format!("there is no order {other:?}"),
                ));
            }
        };
        let routes: Option<Vec<Route>> =
            handling.routes.as_ref().map(|routes| routes.iter().map(NativeRoute::route).collect());
        if handling.shared && routes.as_ref().is_some_and(|routes| routes.len() > MOST_SHARED) {
            let text = format!("at most {MOST_SHARED} handlers can share a topic's records");
            return Err(Error::new("subscribe", CODE_INVALID_ARG, text));
        }
        Ok(Self {
            order,
            window: handling.window.map(|window| i64::from(window.0)),
            concurrency: handling.concurrency.0 as usize,
            routes: routes.map(|routes| Routes::new(routes, handling.shared, handling.rest)),
            most_records: handling.most_records.map(|most| most.0 as usize),
            most_bytes: handling.most_bytes.map(|most| most.0 as usize),
            transactional: handling.transactional,
            ..Self::default()
        })
    }
}

impl NativeRoute {
    fn route(&self) -> Route {
        let wanted = |filter: &NativeHeaderFilter| match &filter.values {
            Some(values) => Wanted::OneOf(values.iter().map(|value| value.as_bytes().into()).collect()),
            None => Wanted::Absent,
        };
        self.headers.iter().map(|filter| (filter.name.as_bytes().into(), wanted(filter))).collect()
    }
}

/// A topic partition and an offset.
#[napi(object)]
pub struct NativeOffset {
    /// Topic name.
    pub topic: String,
    /// Partition number.
    #[napi(ts_type = "number")]
    pub partition: PartitionNumber,
    /// Absolute offset, or -2 (beginning) or -1 (end) for a seek, as text.
    #[napi(ts_type = "string")]
    pub offset: Offset,
    /// Metadata to commit with it.
    pub metadata: Option<String>,
}

/// How far an assigned partition has been handled.
#[napi(object, object_from_js = false)]
pub struct NativeStanding {
    /// Topic name.
    pub topic: String,
    /// Partition number.
    pub partition: i32,
    /// The offset below which every record is finished; -1 while none is and the group has no committed offset.
    pub position: f64,
    /// The offset after the partition's last record as of the last fetch response; -1 before the first.
    pub high_watermark: f64,
    /// Records that were handed to JavaScript and are not handled yet.
    pub in_hand: u32,
}

impl NativeStanding {
    pub(super) fn new(high_watermark: Option<i64>, standing: &Standing) -> Self {
        Self {
            topic: standing.topic.to_string(),
            partition: standing.partition,
            position: standing.position.unwrap_or(-1) as f64,
            high_watermark: high_watermark.unwrap_or(-1) as f64,
            in_hand: standing.in_hand as u32,
        }
    }
}

impl From<NativeOffset> for TopicPartition {
    fn from(o: NativeOffset) -> Self {
        Self { metadata: o.metadata.map(String::into_bytes), ..Self::at(o.topic, o.partition.0, o.offset.0) }
    }
}

impl From<TopicPartition> for NativeOffset {
    fn from(p: TopicPartition) -> Self {
        Self {
            topic: p.topic,
            partition: PartitionNumber(p.partition),
            offset: Offset(p.offset),
            metadata: None,
        }
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

/// How many records of a topic were filtered. Not a property of an object: a topic may be called `__proto__`.
#[napi(object)]
pub struct NativeFiltered {
    /// Topic name.
    pub topic: String,
    /// Records that no handler took.
    pub count: f64,
}

/// A topic partition.
#[napi(object)]
pub struct NativePartition {
    /// Topic name.
    pub topic: String,
    /// Partition number.
    #[napi(ts_type = "number")]
    pub partition: PartitionNumber,
}

/// A topic of the cluster.
#[napi(object)]
pub struct NativeTopic {
    /// Name.
    pub name: String,
    /// Number of partitions.
    pub partitions: u32,
}

/// Which of the topics exist.
#[napi(object)]
pub struct NativeEnsuredTopics {
    /// Topics that do not exist.
    pub missing: Vec<String>,
    /// Why each of them was not created, in the same order.
    pub reasons: Vec<String>,
    /// Topics that were created.
    pub created: Vec<String>,
    /// Topics that exist already.
    pub existing: Vec<NativeTopic>,
}
