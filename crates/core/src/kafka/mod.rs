//! What the core needs of Kafka: plain types in Kafka's words, and the traits that a client library implements.
//!
//! The calls of these traits may block, unless they say otherwise; those that the poll threads make for each batch or
//! record do not.

mod connection;
mod event;
mod group;
mod metadata;
mod partition;
mod record;
#[cfg(test)]
pub(crate) mod unconnected;

pub use connection::Connection;
pub use event::{DeliveryReport, Event, LogLine};
pub use group::{DEAD_GROUP, Group, GroupMember};
pub use metadata::{BrokerMetadata, Metadata, Outcome, PartitionMetadata, Scope, TopicMetadata};
pub use partition::{OFFSET_BEGINNING, OFFSET_END, OFFSET_INVALID, TopicPartition};
pub use record::{ConsumerRecord, ConsumerRecords, Header, ProducerRecord};

use std::sync::Arc;

use crate::error::Result;

/// Called, on a thread of the client library, when a queue has become non-empty. Must be quick, must not block and
/// must not call the client library.
pub trait Wake: Send + Sync {
    /// The queue has something.
    fn wake(&self);
}

/// What consumers, producers and admin clients have in common.
pub trait Client: Send + Sync + 'static {
    /// The text of an error code: the library's own are negative, the protocol's positive.
    fn describe(code: i32) -> String
    where
        Self: Sized;

    /// The state of its connection.
    fn connection(&self) -> &Connection;

    /// Asks for metadata.
    fn metadata(&self, scope: Scope<'_>, timeout_ms: i32) -> Result<Metadata>;

    /// The cluster's id, if a broker tells it in time.
    fn cluster_id(&self, timeout_ms: i32) -> Option<String>;

    /// Resolves timestamps, or the logical offsets beginning and end, to absolute offsets. Each returned partition
    /// may have an error.
    fn resolve_offsets(&self, partitions: &[TopicPartition], timeout_ms: i32) -> Result<Vec<TopicPartition>>;

    /// Asks the coordinator of a group to describe it; one that no broker knows is [`DEAD_GROUP`].
    fn describe_group(&self, group: &str, timeout_ms: i32) -> Result<Group>;

    /// Creates topics as the broker makes them by default. The outcomes name the topics.
    fn create_topics(&self, topics: &[String], timeout_ms: i32) -> Result<Vec<Outcome>>;
}

/// A client with a queue of events, which its owner polls.
pub trait EventSource: Send + Sync + 'static {
    /// The client behind it.
    type Client: Client;

    /// The client, for requests that do not concern the poll thread: it may outlive this value.
    fn client(&self) -> &Arc<Self::Client>;

    /// Calls `waker` each time the queue of events turns non-empty, in place of an earlier one.
    fn on_event(&self, waker: Arc<dyn Wake>);

    /// The next event, if there is one now; never waits. Of [`Event::Delivery`] each report was given to `report`.
    fn poll(&self, report: impl FnMut(DeliveryReport)) -> Option<Event>;
}

/// A client that consumes records.
pub trait ConsumerClient: EventSource {
    /// The queue of one partition's records.
    type Queue: PartitionQueue;

    /// Joins the group for these topics.
    fn subscribe(&self, topics: &[String]) -> Result<()>;

    /// The queue of a partition, to be created before the partition is assigned: its records then arrive only here.
    fn partition_queue(&self, topic: &str, partition: i32) -> Result<Self::Queue>;

    /// Whether the group rebalances incrementally (KIP-429, KIP-848): then rebalances are answered with
    /// [`ConsumerClient::incremental_assign`] and [`ConsumerClient::incremental_unassign`].
    fn is_cooperative(&self) -> bool;

    /// Starts fetching exactly these partitions, at their offsets; answers a rebalance.
    fn assign(&self, partitions: &[TopicPartition]) -> Result<()>;

    /// Revokes all partitions; answers a rebalance.
    fn unassign(&self) -> Result<()>;

    /// Starts fetching these partitions too; answers a cooperative rebalance.
    fn incremental_assign(&self, partitions: &[TopicPartition]) -> Result<()>;

    /// Revokes these partitions; answers a cooperative rebalance.
    fn incremental_unassign(&self, partitions: &[TopicPartition]) -> Result<()>;

    /// Whether the group has already given this member's partitions to others.
    fn assignment_lost(&self) -> bool;

    /// The id that the group's coordinator gave this member; empty before the join.
    fn member_id(&self) -> String;

    /// Asks for committed offsets; partitions without one come back with [`OFFSET_INVALID`].
    fn committed(&self, partitions: &[TopicPartition], timeout_ms: i32) -> Result<Vec<TopicPartition>>;

    /// Moves the position of assigned partitions, also of those whose log did not have their position. No record may be
    /// taken from any partition's queue meanwhile.
    fn seek(&self, partitions: &[TopicPartition], timeout_ms: i32) -> Result<Vec<TopicPartition>>;

    /// Notes offsets for the next automatic commit; those of partitions that are not assigned are left out.
    fn store_offsets(&self, offsets: &[TopicPartition]);

    /// Starts a commit; the answer is [`Event::Committed`] with this number.
    fn commit(&self, offsets: &[TopicPartition], id: u64) -> Result<()>;

    /// Releases the response held for [`JoinWatch::joined`](crate::assignor::JoinWatch::joined), if there is one.
    /// `for_good`: no response is held from now on.
    fn release_join_response(&self, for_good: bool);

    /// Starts leaving the group and closing; rebalances may follow until [`ConsumerClient::is_closed`].
    fn start_close(&self) -> Result<()>;

    /// Whether it has closed.
    fn is_closed(&self) -> bool;
}

/// The records of one assigned partition that were fetched and not taken yet.
pub trait PartitionQueue: Send + Sync + 'static {
    /// Records that were taken, freed together.
    type Records: ConsumerRecords;

    /// Calls `waker` each time the queue turns non-empty, in place of an earlier one.
    fn on_ready(&self, waker: Arc<dyn Wake>);

    /// Up to `limit` records that are there now; never waits.
    fn consume(&self, limit: usize) -> Self::Records;

    /// Whether there is nothing in it now.
    fn is_empty(&self) -> bool;

    /// The offset after the partition's last record, as the last response to a fetch said; -1 when it is not known.
    /// Makes no request.
    fn high_watermark(&self) -> i64;

    /// The offset before which everything was fetched and put into this queue. `None` while that is not known, as after
    /// a seek. Makes no request.
    fn fetched(&self) -> Option<i64>;
}

/// A client that produces records.
pub trait ProducerClient: EventSource {
    /// A topic that it produces to.
    type Topic: ProducerTopic;
    /// The group metadata with which a transaction commits offsets.
    type GroupMetadata: Send;
    /// Consumers whose offsets its transactions can commit.
    type Member: MemberClient<GroupMetadata = Self::GroupMetadata>;

    /// A topic. `compression` is the topic's own codec; the first use of a topic decides it.
    fn topic(&self, name: &str, compression: Option<&str>) -> Result<Self::Topic>;

    /// Queues a record, copying its bytes; never waits. Its outcome arrives as a delivery report.
    fn produce(&self, topic: &Self::Topic, record: ProducerRecord<'_>) -> Result<()>;

    /// Records queued or in flight.
    fn unacknowledged(&self) -> usize;

    /// Drops unacknowledged records; their delivery reports say so.
    fn purge(&self);

    /// The first fatal error, if there was one: its code and text.
    fn fatal_error(&self) -> Option<(i32, String)>;

    /// Becomes the only producer of its transactional id. After a time-out it may be called again.
    fn init_transactions(&self, timeout_ms: i32) -> Result<()>;

    /// Begins a transaction.
    fn begin_transaction(&self) -> Result<()>;

    /// Metadata of the group alone, without a member: the coordinator accepts commits with it from anyone.
    fn group_metadata(&self, group: &str) -> Result<Self::GroupMetadata>;

    /// Commits offsets as part of the transaction.
    fn send_offsets(
        &self,
        group: &Self::GroupMetadata,
        offsets: &[TopicPartition],
        timeout_ms: i32,
    ) -> Result<()>;

    /// Commits the transaction once everything in it is acknowledged.
    fn commit_transaction(&self, timeout_ms: i32) -> Result<()>;

    /// Aborts the transaction.
    fn abort_transaction(&self, timeout_ms: i32) -> Result<()>;
}

/// A topic of a producer.
pub trait ProducerTopic: Send + Sync + 'static {
    /// The topic's partitions in turn, from one at random on; `None` while they are not known.
    fn next_partition(&self) -> Option<i32>;

    /// Until [`ProducerTopic::release`], records queued for the topic do not wake the thread that sends them. Returns
    /// whether this was possible.
    fn hold(&self) -> bool;

    /// Lets the records queued for the topic be sent.
    fn release(&self);
}

/// A consumer as a member of its group.
pub trait MemberClient: Send + Sync + 'static {
    /// The member's id and generation in the group.
    type GroupMetadata;

    /// The cluster's id, if a broker tells it in time.
    fn cluster_id(&self, timeout_ms: i32) -> Option<String>;

    /// The member in its present generation; `None` once it has left, or was expelled.
    fn group_metadata(&self) -> Option<Self::GroupMetadata>;

    /// The partitions that it has at this moment.
    fn assignment(&self) -> Result<Vec<TopicPartition>>;

    /// Whether the group has already given its partitions to others.
    fn assignment_lost(&self) -> bool;
}
