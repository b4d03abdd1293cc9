//! In whose name a transaction commits offsets: of the member of the group that has read them, so that the coordinator
//! refuses those of a member that has been replaced (KIP-447).

use std::sync::Arc;

use crate::binding::librdkafka::{GroupMetadata, Handle, Partition, SEND_OFFSETS};
use crate::consumer::members;
use crate::error::{CODE_ILLEGAL_GENERATION, Error, Result};

/// Whose offsets they are.
pub enum Reader {
    /// Those of a group: of its consumers in this process, or, where there is none, of whoever is in it.
    Group(String),
    /// Those of the consumer with this number.
    Consumer(u32),
}

/// The offsets of one member, or of a group that has none here.
type Share = (GroupMetadata, Vec<Partition>);

/// Divides offsets between those in whose names they are committed. Waits for librdkafka's threads.
pub(super) fn shares(
    producer: &Handle,
    reader: &Reader,
    offsets: Vec<Partition>,
    timeout_ms: i32,
) -> Result<Vec<Share>> {
    match reader {
        Reader::Consumer(number) => {
            let member = members::with_number(*number)
                .ok_or_else(|| Error::state(SEND_OFFSETS, "the consumer is not running"))?;
            of_members(vec![member], offsets)
        }
        Reader::Group(group) => {
            let mut members = members::of_group(group);
            if !members.is_empty() {
                // Groups of two clusters may have one name.
                let cluster = producer.cluster(timeout_ms);
                members.retain(|member| member.cluster(timeout_ms) == cluster);
            }
            if members.is_empty() {
                Ok(vec![(GroupMetadata::of_group(SEND_OFFSETS, group)?, offsets)])
            } else {
                of_members(members, offsets)
            }
        }
    }
}

fn of_members(members: Vec<Arc<Handle>>, offsets: Vec<Partition>) -> Result<Vec<Share>> {
    let mut shares = Vec::new();
    let mut rest = offsets;
    for member in members {
        // Before its partitions: those that it has afterwards it has had in that generation, or the coordinator will
        // refuse the generation. The other way round it might have lost them, and be of a newer generation.
        let Some(metadata) = member.group_metadata() else { continue };
        if !metadata.is_member() {
            continue;
        }
        let assigned = member.assignment()?;
        if member.assignment_lost() {
            continue;
        }
        let is_its = |offset: &Partition| {
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
        Some(Partition { topic, partition, .. }) => Err(Error::new(
            SEND_OFFSETS,
            CODE_ILLEGAL_GENERATION,
            format!(
                "{topic} [{partition}] is not assigned to the consumer any more, another member may have read on"
            ),
        )),
    }
}
