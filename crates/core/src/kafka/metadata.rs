//! A cluster's metadata.

/// What to ask for.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// The brokers alone, to see whether the cluster answers.
    Brokers,
    /// All topics.
    Everything,
    /// One topic.
    Topic(&'a str),
}

/// Metadata of the cluster.
#[derive(Debug, Clone, Default)]
pub struct Metadata {
    /// The brokers.
    pub brokers: Vec<BrokerMetadata>,
    /// Topics asked for, or all of them.
    pub topics: Vec<TopicMetadata>,
}

/// One broker of the metadata.
#[derive(Debug, Clone)]
pub struct BrokerMetadata {
    /// Its id.
    pub id: i32,
    /// Host that it is reached at.
    pub host: String,
    /// Port that it is reached at.
    pub port: i32,
}

/// One partition of the metadata.
#[derive(Debug, Clone)]
pub struct PartitionMetadata {
    /// Its number.
    pub partition: i32,
    /// The code of its error, 0 without one.
    pub error: i32,
    /// Id of the leading broker; negative when there is none.
    pub leader: i32,
    /// Ids of the brokers that have it.
    pub replicas: Vec<i32>,
    /// Of these, the ones in sync.
    pub in_sync: Vec<i32>,
}

/// One topic of the metadata.
#[derive(Debug, Clone)]
pub struct TopicMetadata {
    /// Name.
    pub name: String,
    /// The code of its error, 0 without one.
    pub error: i32,
    /// Its partitions.
    pub partitions: Vec<PartitionMetadata>,
}

impl TopicMetadata {
    /// Whether every partition has a leader.
    #[must_use]
    pub fn has_leaders(&self) -> bool {
        !self.partitions.is_empty() && self.partitions.iter().all(|p| p.leader >= 0)
    }
}

/// The result of an admin request for one topic, group or resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Topic, group or resource; empty for an access rule.
    pub name: String,
    /// The code of its error, 0 for success.
    pub error: i32,
    /// The broker's text, or the library's.
    pub message: String,
}
