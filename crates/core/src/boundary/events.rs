//! Events that the poll threads send to JavaScript, beside records and delivery reports. They are rare, so they cross
//! as JSON text. In TypeScript each enum is a union discriminated by `type`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;
#[cfg(test)]
use ts_rs::TS;

/// Events of every client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ClientEvent {
    /// A line of librdkafka's log, or one of ours for the same log.
    Log {
        /// Syslog's severity, 0 (emergency) to 7 (debug).
        level: i32,
        /// librdkafka's log facility: what the line is about, in a word.
        facility: String,
        /// The line.
        message: String,
    },
    /// An error that is not the answer to a call.
    Error {
        /// librdkafka's or the broker's code.
        code: i32,
        /// Its text.
        message: String,
        /// Whether the client can no longer be used.
        fatal: bool,
        /// The topic, if the error is about one partition.
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
    /// Requests to brokers have ended. Sent only while the application listens for it.
    Requests {
        /// Each of them, in the order in which they ended.
        requests: Vec<FinishedRequest>,
    },
}

impl ClientEvent {
    /// A warning for librdkafka's log.
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

/// A request to a broker that was answered or timed out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub struct FinishedRequest {
    /// `host:port` of the broker.
    pub broker: Box<str>,
    /// The request's API key in Kafka's protocol.
    pub api_key: i16,
    /// The API version.
    pub api_version: i16,
    /// Its correlation id on the connection.
    pub correlation_id: i32,
    /// When it was written, in ms since the epoch.
    #[cfg_attr(test, ts(type = "number"))]
    pub sent_at: u64,
    /// How long it took, in ms.
    #[cfg_attr(test, ts(type = "number"))]
    pub duration: u64,
    /// Size of the response in bytes; null when the request timed out.
    pub size: Option<usize>,
}

/// Events of a consumer's group, partitions and requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum GroupEvent {
    /// The group assigned partitions: all of this member's, or only the new ones under a cooperative assignor.
    Assign {
        /// This member's id; empty where there is no group.
        member_id: String,
        /// What the `JoinGroup` response said; null where the broker assigns partitions itself (KIP-848), and without
        /// a group.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        join: Option<JoinedGroup>,
        /// The partitions.
        partitions: Vec<AssignedPartition>,
        /// Topics of partitions that were left out because this member has not subscribed to them.
        unsubscribed: Vec<String>,
        /// A request-reply client's reply partition of each topic.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        reply_partitions: Option<BTreeMap<String, i32>>,
    },
    /// The group begins to rebalance.
    Rebalancing,
    /// Partitions are about to be revoked: no new handler may start for them.
    Revoke {
        /// Their assignments.
        assignments: Vec<u32>,
    },
    /// Partitions were revoked or lost.
    Revoked {
        /// Their assignments.
        assignments: Vec<u32>,
        /// Whether they were lost: other members may own them already, and nothing could be committed.
        lost: bool,
    },
    /// Handlers were still running when their partitions had to be given back.
    DrainTimeout {
        /// The partitions concerned.
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
    /// The group could not be joined, or a partition's position could not be found or set: the consumer can no longer
    /// be used.
    Failed {
        /// The last code, librdkafka's or the broker's.
        code: i32,
        /// What failed, and the code's text.
        message: String,
        /// Whether all the time for retries was used up; otherwise the error is one that retrying does not help.
        exhausted: bool,
    },
    /// Offsets were committed. Sent only while the application listens for it.
    Commit {
        /// Each of them.
        offsets: Vec<CommittedOffset>,
        /// An automatic commit, not one that the application asked for.
        automatic: bool,
    },
    /// An automatic commit has failed.
    CommitFailed {
        /// The broker's or librdkafka's code.
        code: i32,
        /// Its text.
        message: String,
        /// What was to be committed.
        offsets: Vec<CommittedOffset>,
    },
    /// This member leads the group and its assigner is a JavaScript function, which is asked for the assignment.
    AssignGroup {
        /// Number of this question, which the answer repeats.
        request: u32,
        /// Name of the strategy.
        protocol: String,
        /// The members.
        members: Vec<SubscribedMember>,
    },
    /// Requests got no reply within their time-out.
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

/// A partition with unhandled records at the drain time-out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(TS))]
pub struct UnfinishedPartition {
    /// Its topic.
    pub topic: String,
    /// Its number.
    pub partition: i32,
    /// How many records are unhandled.
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

/// Events of records that a producer sends and no call waits for.
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
        /// The request, if an error reply could not be sent either.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        lost: Option<LostRecord>,
        /// Set if the request's partition has to go back to its first unfinished record.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, ts(optional))]
        start_over: Option<StartOver>,
    },
    /// The producer is closed, and everything was reported. Told as the last of all: the answer to the call that closes
    /// it takes another way, and may overtake reports.
    Closed,
}

/// A request that was handled and whose reply could not be sent.
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
    /// Whether it will be handled again; otherwise it counts as handled.
    pub comes_again: bool,
}

/// A partition that goes back to its first unfinished record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(TS))]
pub struct StartOver {
    /// The number of its assignment, which this ends.
    pub assignment: u32,
    /// How many times in a row this has happened.
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

/// The JSON text of an event.
#[must_use]
pub fn text(event: &impl Serialize) -> String {
    // Numbers, strings and lists of them always serialize; should a later field not, its event is reported instead of
    // lost.
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
