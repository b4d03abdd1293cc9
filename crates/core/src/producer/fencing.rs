//! With which group metadata a transaction commits offsets: that of the member that has read the records, so that the
//! coordinator refuses offsets of a member that was replaced (KIP-447).

use std::sync::Arc;

use crate::error::{CODE_ILLEGAL_GENERATION, Error, Result};
use crate::kafka::{Client, MemberClient, ProducerClient, TopicPartition};

/// The operation that errors about a transaction's offsets name.
pub const SEND_OFFSETS: &str = "send offsets to the transaction";

/// Which consumers have read the offsets.
pub enum Reader<M> {
    /// The consumers of a group in this process or, if there are none, the group without a member.
    Group(String, Vec<Arc<M>>),
    /// This consumer; `None` once it is closed.
    Consumer(Option<Arc<M>>),
}

/// The offsets of one member, or of a group without members in this process.
type Share<P> = (<P as ProducerClient>::GroupMetadata, Vec<TopicPartition>);

/// Divides offsets by the members that have read them. Waits for the client library's threads.
pub(super) fn shares<P: ProducerClient>(
    producer: &P,
    reader: Reader<P::Member>,
    offsets: Vec<TopicPartition>,
    timeout_ms: i32,
) -> Result<Vec<Share<P>>> {
    match reader {
        Reader::Consumer(member) => {
            let member = member.ok_or_else(|| Error::state(SEND_OFFSETS, "the consumer is not running"))?;
            of_members::<P>(vec![member], offsets)
        }
        Reader::Group(group, mut members) => {
            if !members.is_empty() {
                // Groups of different clusters may have the same name.
                let cluster = producer.client().cluster_id(timeout_ms);
                members.retain(|member| member.cluster_id(timeout_ms) == cluster);
            }
            if members.is_empty() {
                Ok(vec![(producer.group_metadata(&group)?, offsets)])
            } else {
                of_members::<P>(members, offsets)
            }
        }
    }
}

fn of_members<P: ProducerClient>(
    members: Vec<Arc<P::Member>>,
    offsets: Vec<TopicPartition>,
) -> Result<Vec<Share<P>>> {
    let mut shares = Vec::new();
    let mut rest = offsets;
    for member in members {
        // Read before its partitions: if the member is assigned anew in between, the coordinator refuses the older
        // generation. In the other order, partitions that the member has lost could be committed under its newer
        // generation.
        let Some(metadata) = member.group_metadata() else { continue };
        let assigned = member.assignment()?;
        if member.assignment_lost() {
            continue;
        }
        let is_its = |offset: &TopicPartition| {
            assigned.iter().any(|own| own.partition == offset.partition && own.topic == offset.topic)
        };
        let (own, others): (Vec<_>, Vec<_>) = rest.into_iter().partition(is_its);
        rest = others;
        if !own.is_empty() {
            shares.push((metadata, own));
        }
    }
    match rest.first() {
        None => Ok(shares),
        Some(TopicPartition { topic, partition, .. }) => Err(Error::new(
            SEND_OFFSETS,
            CODE_ILLEGAL_GENERATION,
            format!(
                "{topic} [{partition}] is not assigned to the consumer any more, another member may have read on"
            ),
        )),
    }
}
