//! Arguments and results of admin requests, as JavaScript sees them.

use kafka_core::consumer::commit_metadata;
use kafka_core::kafka::{BrokerMetadata, Group, Metadata, Outcome, TopicMetadata, TopicPartition};
use librdkafka::{
    AdminOptions, ConfigResource, ConfigSynonym, DescribedConfig, Isolation, NewPartitions, NewTopic, Rights,
};
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

use super::consumer_types::NativeGroupMember;
use super::numbers::{BrokerId, Count, Milliseconds, Number, Offset, PartitionNumber};
use super::producer::NativePartitionMetadata;

/// How an admin request is made.
#[napi(object)]
pub struct NativeAdminOptions {
    /// Time limit of the request (ms).
    #[napi(ts_type = "number")]
    pub request_timeout: Milliseconds,
    /// How long the broker may take until the operation is complete (ms).
    #[napi(ts_type = "number")]
    pub operation_timeout: Option<Milliseconds>,
    /// Whether the broker only validates the request, without carrying it out.
    pub validate_only: Option<bool>,
    /// Whether a group's offsets are refused (88) while a transaction that commits them has not ended.
    pub stable: Option<bool>,
}

impl From<NativeAdminOptions> for AdminOptions {
    fn from(o: NativeAdminOptions) -> Self {
        let ms = |ms: Milliseconds| i32::try_from(ms.0.as_millis()).unwrap_or(i32::MAX);
        Self {
            operation_timeout_ms: o.operation_timeout.map(ms),
            validate_only: o.validate_only.unwrap_or(false),
            isolation: if o.stable.unwrap_or(false) { Isolation::Stable } else { Isolation::None },
            ..Self::within(o.request_timeout.0)
        }
    }
}

/// The result for one topic, group, resource or access rule.
#[napi(object)]
pub struct NativeOutcome {
    /// Topic, group or resource; empty for an access rule.
    pub name: String,
    /// librdkafka's code, 0 for success.
    pub code: i32,
    /// The broker's text, or librdkafka's.
    pub message: String,
}

impl From<Outcome> for NativeOutcome {
    fn from(o: Outcome) -> Self {
        Self { name: o.name, code: o.error, message: o.message }
    }
}

/// The operations that this client is authorized for on a topic or a group.
#[napi(object)]
pub struct NativeRights {
    /// The name, and whether the operations could be found out.
    pub outcome: NativeOutcome,
    /// The protocol's numbers of the operations.
    pub operations: Vec<i32>,
}

impl From<Rights> for NativeRights {
    fn from(rights: Rights) -> Self {
        Self { outcome: rights.outcome.into(), operations: rights.operations }
    }
}

/// A broker.
#[napi(object)]
pub struct NativeBroker {
    /// Its id.
    pub node_id: i32,
    /// Host that it is reached at.
    pub host: String,
    /// Port that it is reached at.
    pub port: i32,
}

impl From<BrokerMetadata> for NativeBroker {
    fn from(b: BrokerMetadata) -> Self {
        Self { node_id: b.id, host: b.host, port: b.port }
    }
}

/// A topic as the metadata describes it.
#[napi(object)]
pub struct NativeTopicMetadata {
    /// Name.
    pub name: String,
    /// librdkafka's code, 0 without an error.
    pub code: i32,
    /// Its partitions.
    pub partitions: Vec<NativePartitionMetadata>,
}

impl From<TopicMetadata> for NativeTopicMetadata {
    fn from(t: TopicMetadata) -> Self {
        let partitions = t.partitions.into_iter().map(NativePartitionMetadata::from).collect();
        Self { name: t.name, code: t.error, partitions }
    }
}

/// The brokers, and the topics asked for.
#[napi(object)]
pub struct NativeMetadata {
    /// The brokers.
    pub brokers: Vec<NativeBroker>,
    /// The topics.
    pub topics: Vec<NativeTopicMetadata>,
}

impl From<Metadata> for NativeMetadata {
    fn from(metadata: Metadata) -> Self {
        Self {
            brokers: metadata.brokers.into_iter().map(NativeBroker::from).collect(),
            topics: metadata.topics.into_iter().map(NativeTopicMetadata::from).collect(),
        }
    }
}

/// The cluster.
#[napi(object)]
pub struct NativeCluster {
    /// Its brokers.
    pub brokers: Vec<NativeBroker>,
    /// Id of the controller.
    pub controller_id: Option<i32>,
    /// Its id.
    pub cluster_id: Option<String>,
}

/// The replicas of a partition.
#[napi(object)]
pub struct NativeReplicas {
    /// Partition number.
    #[napi(ts_type = "number")]
    pub partition: PartitionNumber,
    /// Ids of brokers.
    #[napi(ts_type = "Array<number>")]
    pub replicas: Vec<BrokerId>,
}

/// A configuration value to set.
#[napi(object)]
pub struct NativeConfigValue {
    /// Name.
    pub name: String,
    /// Value.
    pub value: String,
}

fn ids(brokers: Vec<BrokerId>) -> Vec<i32> {
    brokers.into_iter().map(|broker| broker.0).collect()
}

fn pairs(values: Vec<NativeConfigValue>) -> Vec<(String, String)> {
    values.into_iter().map(|v| (v.name, v.value)).collect()
}

/// A topic to create.
#[napi(object)]
pub struct NativeNewTopic {
    /// Name.
    pub name: String,
    /// Number of partitions; -1 for the broker's default.
    #[napi(ts_type = "number")]
    pub partitions: Number,
    /// Replicas of each partition; -1 for the broker's default.
    #[napi(ts_type = "number")]
    pub replication: Number,
    /// The partitions in order, each with its replicas, instead of the two numbers.
    pub assignment: Vec<NativeReplicas>,
    /// Configuration.
    pub config: Vec<NativeConfigValue>,
}

impl From<NativeNewTopic> for NewTopic {
    fn from(t: NativeNewTopic) -> Self {
        Self {
            name: t.name,
            partitions: t.partitions.0,
            replication: t.replication.0,
            assignment: t.assignment.into_iter().map(|a| (a.partition.0, ids(a.replicas))).collect(),
            config: pairs(t.config),
        }
    }
}

/// A topic to extend.
#[napi(object)]
pub struct NativeNewPartitions {
    /// Name.
    pub topic: String,
    /// New total number of partitions.
    #[napi(ts_type = "number")]
    pub count: Count,
    /// Replicas of each new partition; empty to let the cluster choose.
    #[napi(ts_type = "Array<Array<number>>")]
    pub assignment: Vec<Vec<BrokerId>>,
}

impl From<NativeNewPartitions> for NewPartitions {
    fn from(p: NativeNewPartitions) -> Self {
        Self { topic: p.topic, count: p.count.0, assignment: p.assignment.into_iter().map(ids).collect() }
    }
}

/// A partition with an offset, or why it has none.
#[napi(object)]
pub struct NativePartitionOffset {
    /// Topic name.
    pub topic: String,
    /// Partition number.
    pub partition: i32,
    /// Offset, as text.
    #[napi(ts_type = "string")]
    pub offset: Offset,
    /// librdkafka's code, 0 without an error.
    pub code: i32,
    /// Metadata committed with the offset.
    pub metadata: Option<String>,
}

impl From<TopicPartition> for NativePartitionOffset {
    fn from(p: TopicPartition) -> Self {
        Self {
            topic: p.topic,
            partition: p.partition,
            offset: Offset(p.offset),
            code: p.error,
            // What this package adds for itself is not the application's.
            metadata: p
                .metadata
                .as_deref()
                .and_then(commit_metadata::rest)
                .map(|bytes| String::from_utf8_lossy(bytes).into_owned()),
        }
    }
}

/// A consumer group that was found.
#[napi(object)]
pub struct NativeFoundGroup {
    /// Group id.
    pub group_id: String,
    /// librdkafka's code, 0 without an error.
    pub code: i32,
    /// `Stable`, `PreparingRebalance`, `Empty`, …
    pub state: String,
    /// `consumer`, or empty for a group that never had members.
    pub protocol_type: String,
    /// Name of the assignor that the members agreed on.
    pub protocol: String,
    /// Its members.
    pub members: Vec<NativeGroupMember>,
}

impl From<Group> for NativeFoundGroup {
    fn from(g: Group) -> Self {
        let members = g.members.into_iter().map(|m| NativeGroupMember {
            member_id: m.id,
            client_id: m.client_id,
            client_host: m.client_host,
            member_metadata: Buffer::from(m.metadata),
            member_assignment: Buffer::from(m.assignment),
        });
        Self {
            members: members.collect(),
            group_id: g.id,
            code: g.error,
            state: g.state,
            protocol_type: g.protocol_type,
            protocol: g.protocol,
        }
    }
}

/// The state of a consumer group.
#[napi(object)]
pub struct NativeGroupState {
    /// The group, or why its state could not be found out.
    pub outcome: NativeOutcome,
    /// `Stable`, `PreparingRebalance`, `Empty`, …
    pub state: String,
}

/// A topic or broker, and names or values of its configuration.
#[napi(object)]
pub struct NativeConfigResource {
    /// The protocol's number: 2 for a topic, 4 for a broker.
    #[napi(ts_type = "number")]
    pub kind: Number,
    /// Topic name or broker id.
    pub name: String,
    /// The values to set; or the names to describe, empty for all.
    pub config: Vec<NativeConfigValue>,
}

impl From<NativeConfigResource> for ConfigResource {
    fn from(r: NativeConfigResource) -> Self {
        Self { kind: r.kind.0, name: r.name, config: pairs(r.config) }
    }
}

/// A configuration value at one of the places that set it.
#[napi(object, use_nullable = true)]
pub struct NativeConfigSynonym {
    /// Name.
    pub name: String,
    /// Value, unless it is not told.
    pub value: Option<String>,
    /// The protocol's number of that place.
    pub source: i32,
}

impl From<ConfigSynonym> for NativeConfigSynonym {
    fn from(s: ConfigSynonym) -> Self {
        Self { name: s.name, value: s.value, source: s.source }
    }
}

/// A configuration value in effect.
#[napi(object, use_nullable = true)]
pub struct NativeConfigEntry {
    /// Name.
    pub name: String,
    /// Value, unless it is not told.
    pub value: Option<String>,
    /// The protocol's number of the place that sets it.
    pub source: i32,
    /// Whether it cannot be changed.
    pub read_only: bool,
    /// Whether its value is secret.
    pub sensitive: bool,
    /// Where else it is set.
    pub synonyms: Vec<NativeConfigSynonym>,
}

/// The configuration of a resource.
#[napi(object)]
pub struct NativeDescribedConfig {
    /// The resource, or why it could not be described.
    pub outcome: NativeOutcome,
    /// The protocol's number of its kind.
    pub kind: i32,
    /// Its configuration.
    pub entries: Vec<NativeConfigEntry>,
}

impl From<DescribedConfig> for NativeDescribedConfig {
    fn from(d: DescribedConfig) -> Self {
        let entries = d.entries.into_iter().map(|e| NativeConfigEntry {
            name: e.value.name,
            value: e.value.value,
            source: e.value.source,
            read_only: e.read_only,
            sensitive: e.sensitive,
            synonyms: e.synonyms.into_iter().map(NativeConfigSynonym::from).collect(),
        });
        Self { entries: entries.collect(), outcome: d.outcome.into(), kind: d.kind }
    }
}

/// The result of changing a resource's configuration.
#[napi(object)]
pub struct NativeAlteredConfig {
    /// The resource, or why it could not be changed.
    pub outcome: NativeOutcome,
    /// The protocol's number of its kind.
    pub kind: i32,
}
