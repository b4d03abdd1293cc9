//! In whose name a transaction commits offsets: of the member of the group that has read them, so that the coordinator
//! refuses those of a member that has been replaced (KIP-447).

use std::sync::Arc;

use crate::error::{CODE_ILLEGAL_GENERATION, Error, Result};
use crate::kafka::{Client, MemberClient, ProducerClient, TopicPartition};

/// What errors of a transaction's offsets name.
pub const SEND_OFFSETS: &str = "send offsets to the transaction";

/// Whose offsets they are.
pub enum Reader<M> {
    /// Those of a group: of these consumers of it, in this process, or, where there is none, of whoever is in it.
    Group(String, Vec<Arc<M>>),
    /// Those of this consumer, while it is running.
    Consumer(Option<Arc<M>>),
}

/// The offsets of one member, or of a group that has none here.
type Share<P> = (<P as ProducerClient>::GroupMetadata, Vec<TopicPartition>);

/// Divides offsets between those in whose names they are committed. Waits for the client library's threads.
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
                // Groups of two clusters may have one name.
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
        // Before its partitions: those that it has afterwards it has had in that generation, or the coordinator will
        // refuse the generation. The other way round it might have lost them, and be of a newer generation.
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
