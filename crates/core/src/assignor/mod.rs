//! Consumer group assignors of our own.
//!
//! Which member of a group gets which partitions is decided by one of the members, its leader, with an
//! algorithm all of them announce by name. Two names matter here, because stock NestJS announces them and a
//! group may hold members of both kinds:
//!
//! - [`NestReplyPartitionAssigner`], for clients: every client keeps the partition
//!   of the reply topic that its requests name.
//! - [`RoundRobinAssigner`], for servers: KafkaJS's default.
//!
//! Others are the application's, and decide in JavaScript: [`DeferredAssignor`].
//!
//! The algorithms are plain functions of plain data, without a broker and without a client. The librdkafka crate puts
//! them into a client, and has [`join_response`] repair what stock clients send.

use std::collections::BTreeMap;

mod deferred;
pub mod join_response;
mod reply_partition;
mod roster;
mod round_robin;
mod user_data;

pub use deferred::{DeferredAssignor, GivenPartitions};
pub use join_response::{Join, JoinedMember};
pub use reply_partition::{NestReplyPartitionAssigner, assign_reply_partitions};
pub use round_robin::{RoundRobinAssigner, assign_round_robin};
pub use user_data::StartTime;

#[cfg(test)]
mod tests;

/// A member of the group, as its leader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The id the broker gave it: its client id and a UUID. Unique in the group.
    pub id: String,
    /// What its own assignor sent along; it may be malformed.
    pub user_data: Vec<u8>,
    /// The topics that it subscribes to and that exist.
    pub topics: Vec<String>,
}

/// The partitions of one member, by topic.
pub type Assignment = BTreeMap<String, Vec<i32>>;

/// An assignment strategy, and one client's memory of what it was assigned.
///
/// Every method is called on the client's main librdkafka thread, which also sends its heartbeats: none may
/// block, and none reaches JavaScript. A panic is caught and counts as a failure of the call.
pub trait Assignor: Send + Sync {
    /// The strategy's name on the wire. Members share a group only when they have a strategy of one name.
    fn protocol_name(&self) -> &str;

    /// Whether a member goes on reading what it owns while the group rebalances, and then gives up only what has
    /// moved (librdkafka's cooperative protocol), instead of giving everything up first. A partition that moves
    /// may have two readers for a moment. All assignors of a client answer the same.
    fn keeps_during_rebalance(&self) -> bool {
        false
    }

    /// The whole member metadata that goes to the leader; `None` for librdkafka's own, with [`Assignor::user_data`]
    /// in it. Asked for whenever the member joins.
    fn metadata(&self) -> Option<Vec<u8>> {
        None
    }

    /// What the leader is to know about this member. Asked for whenever the member joins, so at every rebalance.
    fn user_data(&self) -> Vec<u8>;

    /// Assigns the partitions, on the leader: one assignment per member, in the order of `members`.
    ///
    /// `leader` is this member's own id. `topics` are those with a subscriber, each with its number of partitions.
    /// After an error the group stays unassigned and its members join anew.
    fn assign(
        &self,
        leader: &str,
        members: &[Member],
        topics: &[(String, i32)],
    ) -> Result<Vec<Assignment>, String>;

    /// The user data that goes with a member's part of the last assignment. With `None`, the member gets the user
    /// data that it sent itself.
    fn assignment_user_data(&self, _member: &str) -> Option<Vec<u8>> {
        None
    }

    /// Called with this member's new assignment, on every member, before the rebalance event that reports it.
    fn on_assignment(&self, assignment: &Assignment);
}

/// Is told how a client joins its group.
pub trait JoinWatch: Send + Sync {
    /// The group has a new generation with this member in it. Called on the client's main librdkafka thread, before
    /// librdkafka sees the response; must not block. Returns whether the response is to be held until
    /// [`ConsumerClient::release_join_response`](crate::kafka::ConsumerClient::release_join_response) is called; the
    /// group waits meanwhile.
    fn joined(&self, join: Join) -> bool;

    /// A request of the join was answered, with this error code of the protocol or of librdkafka, or 0: `FindCoordinator`,
    /// `JoinGroup`, `SyncGroup`, `ConsumerGroupHeartbeat`. Called on the client's main librdkafka thread; must not block.
    fn answered(&self, _api_key: i16, _code: i32) {}

    /// A `JoinGroup` response has a layout that is not known, so it is neither read nor repaired, and
    /// [`JoinWatch::joined`] is not called for it. Called on the client's main librdkafka thread; must not block.
    fn unread(&self, _version: i16) {}
}
