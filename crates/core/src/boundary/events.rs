//! What the poll threads tell JavaScript of beside records and reports. Rare, and so JSON text. In TypeScript each
//! enum is a union that `type` tells apart.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;
#[cfg(test)]
use ts_rs::TS;

/// What every client has to tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ClientEvent {
    /// A line of librdkafka's log, or one that belongs there.
    Log {
        /// Syslog's severity, 0 (emergency) to 7 (debug).
        level: i32,
        /// What it is about, in a word.
        facility: String,
        /// The line.
        message: String,
    },
    /// Something went wrong that no call is waiting for.
    Error {
        /// librdkafka's or the broker's code.
        code: i32,
        /// Its text.
        message: String,
        /// Whether the client is of no more use.
        fatal: bool,
        /// The topic that it is about, if it is about one partition.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        topic: Option<String>,
        /// The partition.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        partition: Option<i32>,
    },
    /// A bearer token is wanted: there is none yet, or it will expire.
    TokenWanted,
    /// librdkafka's statistics.
    Statistics {
        /// Its own JSON text.
        json: String,
    },
    /// Requests to brokers have ended, while somebody wants to know.
    Requests {
        /// Each of them, in the order in which they ended.
        requests: Vec<FinishedRequest>,
    },
}

impl ClientEvent {
    /// A warning that belongs into librdkafka's log.
    #[must_use]
    pub fn warning(facility: &str, message: String) -> Self {
        const WARNING: i32 = 4;
        Self::Log { level: WARNING, facility: facility.to_owned(), message }
    }

    /// An error that is not about a partition.
    #[must_use]
    pub fn error(code: i32, message: String, fatal: bool) -> Self {
        Self::Error { code, message, fatal, topic: None, partition: None }
    }
}

/// A request to a broker that was answered, or not in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub struct FinishedRequest {
    /// `host:port` of the broker.
    pub broker: Box<str>,
    /// The protocol's number of the kind of request.
    pub api_key: i16,
    /// The version of its format.
    pub api_version: i16,
    /// Its number on the connection.
    pub correlation_id: i32,
    /// When it was written, in ms since the epoch.
    #[cfg_attr(test, ts(type = "number"))]
    pub sent_at: u64,
    /// How long it took, in ms.
    #[cfg_attr(test, ts(type = "number"))]
    pub duration: u64,
    /// The response's bytes; null when there was none in time.
    pub size: Option<usize>,
}

/// What happens to a consumer's group, partitions and requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum GroupEvent {
    /// The group gave partitions: all that this member has, or those that are new where it moves single ones.
    Assign {
        /// This member's id; empty where there is no group.
        member_id: String,
        /// What the join said, where there was one: a broker that assigns by itself leaves it out.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        join: Option<JoinedGroup>,
        /// The partitions.
        partitions: Vec<AssignedPartition>,
        /// Topics of partitions that were left out because this member has not subscribed to them.
        unsubscribed: Vec<String>,
        /// A client's own partition of each of its reply topics.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        reply_partitions: Option<BTreeMap<String, i32>>,
    },
    /// The group begins to rebalance.
    Rebalancing,
    /// The group wants partitions back: their handlers are to come to rest.
    Revoke {
        /// Their assignments.
        assignments: Vec<u32>,
    },
    /// Partitions were given back, or lost.
    Revoked {
        /// Their assignments.
        assignments: Vec<u32>,
        /// Whether others had them already, so that nothing could be committed.
        lost: bool,
    },
    /// Handlers did not come to rest before their partitions had to be given back.
    DrainTimeout {
        /// Where.
        partitions: Vec<UnfinishedPartition>,
    },
    /// A partition's position was moved; it goes on under a new assignment.
    Seek {
        /// Its topic.
        topic: String,
        /// Its number.
        partition: i32,
        /// The new assignment.
        assignment: u32,
    },
    /// The group could not be joined, or a partition's position not be found or set: the consumer is of no more use.
    Failed {
        /// The last code, librdkafka's or the broker's.
        code: i32,
        /// What has failed, and the code's text.
        message: String,
        /// Whether it was tried for as long as it may take; else trying again would not help.
        exhausted: bool,
    },
    /// Offsets were committed, while somebody wants to know.
    Commit {
        /// Each of them.
        offsets: Vec<CommittedOffset>,
        /// Nobody has asked for it.
        automatic: bool,
    },
    /// A commit that nobody waits for has failed.
    CommitFailed {
        /// The broker's or librdkafka's code.
        code: i32,
        /// Its text.
        message: String,
        /// What was to be committed.
        offsets: Vec<CommittedOffset>,
    },
    /// This member leads the group, and its strategy is an assigner in JavaScript: who gets what?
    AssignGroup {
        /// Number that the answer carries.
        request: u32,
        /// Name of the strategy.
        protocol: String,
        /// The members.
        members: Vec<SubscribedMember>,
    },
    /// Requests have waited too long for their replies.
    RequestsExpired {
        /// Slot and generation of each.
        requests: Vec<(u32, u32)>,
    },
}

/// What a member learns when it joins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub struct JoinedGroup {
    /// Number of the group's generation.
    pub generation: i32,
    /// Id of the leader.
    pub leader_id: String,
    /// Name of the strategy that the members agreed on.
    pub protocol: String,
}

/// A partition that was assigned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(TS))]
pub struct AssignedPartition {
    /// Its topic.
    pub topic: String,
    /// Its number.
    pub partition: i32,
    /// The number of this assignment, by which its records and acks name it.
    pub assignment: u32,
}

/// A partition whose records were not all handled in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(TS))]
pub struct UnfinishedPartition {
    /// Its topic.
    pub topic: String,
    /// Its number.
    pub partition: i32,
    /// How many records.
    pub records: usize,
}

/// An offset that was committed, or was to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(TS))]
pub struct CommittedOffset {
    /// Its topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// The offset, as kafkajs writes it.
    pub offset: String,
}

/// A member of a group, as its leader knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub struct SubscribedMember {
    /// Its id.
    pub member_id: String,
    /// The bytes that it sent along for the strategy.
    pub metadata: Vec<u8>,
}

/// What happens to what a producer sends, where nobody waits for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum DeliveryEvent {
    /// A reply could not be sent.
    ReplyFailed {
        /// librdkafka's or the broker's code.
        code: i32,
        /// Its text.
        message: String,
        /// The reply topic.
        topic: String,
        /// The partition that the request named; null when it named none.
        partition: Option<i32>,
        /// The request, where an error could not be sent in the reply's place either.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        lost: Option<LostRecord>,
        /// Its partition, where that is to start over for it.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        start_over: Option<StartOver>,
    },
}

/// A request that was handled and whose reply is lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub struct LostRecord {
    /// Its topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset, as kafkajs writes it.
    pub offset: String,
    /// It is handled again; else it counts as handled.
    pub comes_again: bool,
}

/// A partition that is to start over at its first record that is not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(TS))]
pub struct StartOver {
    /// The number of its assignment, which ends with it.
    pub assignment: u32,
    /// For the so-manyth time.
    pub times: u32,
}

/// What a consumer tells JavaScript.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(untagged)]
pub enum ConsumerEvent {
    /// As every client.
    Client(ClientEvent),
    /// Of its group.
    Group(GroupEvent),
}

/// What a producer tells JavaScript; an admin client tells no more than [`ClientEvent`]s.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(untagged)]
pub enum ProducerEvent {
    /// As every client.
    Client(ClientEvent),
    /// Of what it sends.
    Delivery(DeliveryEvent),
}

macro_rules! wraps {
    ($($part:ident in $whole:ident as $variant:ident),* $(,)?) => {
        $(impl From<$part> for $whole {
            fn from(event: $part) -> Self {
                Self::$variant(event)
            }
        })*
    };
}
wraps!(
    ClientEvent in ConsumerEvent as Client,
    GroupEvent in ConsumerEvent as Group,
    ClientEvent in ProducerEvent as Client,
    DeliveryEvent in ProducerEvent as Delivery,
);

/// The text that JavaScript is called with.
#[must_use]
pub fn text(event: &impl Serialize) -> String {
    // Numbers, texts and lists of them are always JSON; if one day something else is not, it shall not be lost.
    serde_json::to_string(event).unwrap_or_else(|error| {
        let message = format!("an event could not be written as JSON: {error}");
        json!({ "type": "error", "code": 0, "message": message, "fatal": false }).to_string()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_named_by_its_type_whatever_tells_it() {
        let failed = ClientEvent::error(-195, "lost".into(), false);
        let expected = r#"{"type":"error","code":-195,"message":"lost","fatal":false}"#;
        assert_eq!(text(&ConsumerEvent::from(failed.clone())), expected);
        assert_eq!(text(&ProducerEvent::from(failed)), expected);
        assert_eq!(text(&ConsumerEvent::from(GroupEvent::Rebalancing)), r#"{"type":"rebalancing"}"#);
    }

    #[test]
    fn names_are_javascript_s() {
        let assign = GroupEvent::Assign {
            member_id: "m".into(),
            join: Some(JoinedGroup { generation: 3, leader_id: "m".into(), protocol: "p".into() }),
            partitions: vec![AssignedPartition { topic: "t".into(), partition: 1, assignment: 7 }],
            unsubscribed: Vec::new(),
            reply_partitions: None,
        };
        let expected = concat!(
            r#"{"type":"assign","memberId":"m","join":{"generation":3,"leaderId":"m","protocol":"p"},"#,
            r#""partitions":[{"topic":"t","partition":1,"assignment":7}],"unsubscribed":[]}"#
        );
        assert_eq!(text(&ConsumerEvent::from(assign)), expected);
    }
}
