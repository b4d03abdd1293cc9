//! Seeks of partitions that librdkafka fetches no more, on its public functions alone: by assigning them anew. Used
//! only where `fetcher.c`, which makes them accept a seek, is turned off.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka_sys as sys;

use kafka_core::error::{CODE_STATE, Result};
use kafka_core::kafka::{ConsumerClient, MemberClient, TopicPartition};

use super::consumer::ConsumerHandle;
use super::partition_list::PartitionList;
use super::private::Shim;
use super::{check, owned_text};

/// Where the reading of each assigned partition began, by its assignment or by a seek: what its position is before a
/// first record was taken. Stays empty while `fetcher.c` is on.
#[derive(Default)]
pub(super) struct Starts(Mutex<HashMap<(String, i32), i64>>);

impl Starts {
    fn lock(&self) -> MutexGuard<'_, HashMap<(String, i32), i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These partitions are read from their offsets on.
    pub(super) fn note(&self, partitions: &[TopicPartition]) {
        if !Shim::Fetcher.is_on() {
            self.lock().extend(partitions.iter().map(|p| ((p.topic.clone(), p.partition), p.offset)));
        }
    }

    fn of(&self, p: &TopicPartition) -> Option<i64> {
        self.lock().get(&(p.topic.clone(), p.partition)).copied()
    }
}

impl ConsumerHandle {
    /// Moves the position of assigned partitions. Those that are fetched no more refuse a seek, and are given back and
    /// taken again. No record may be taken from the partitions' queues meanwhile.
    pub(super) fn seek_or_reassign(
        &self,
        partitions: &[TopicPartition],
        timeout_ms: i32,
    ) -> Result<Vec<TopicPartition>> {
        let answer = self.seek_fetched(partitions, timeout_ms)?;
        let (stopped, moved): (Vec<_>, Vec<_>) = answer.into_iter().partition(|p| p.error == CODE_STATE);
        self.starts().note(&moved);
        if stopped.is_empty() {
            return Ok(moved);
        }
        let stopped: Vec<_> = stopped.into_iter().map(|p| TopicPartition { error: 0, ..p }).collect();
        // SAFETY: the handle is alive; the string is static, or null while there is no group.
        if unsafe { owned_text(sys::rd_kafka_rebalance_protocol(self.raw())) } == "EAGER" {
            self.assign(&self.assignment_with(&stopped)?)?;
        } else {
            self.incremental_unassign(&stopped)?;
            self.incremental_assign(&stopped)?;
        }
        Ok(moved.into_iter().chain(stopped).collect())
    }

    /// All that is assigned, each partition where it would be read next: a group of the eager protocol takes an
    /// assignment only as a whole. What is fetched and not taken yet is fetched again.
    fn assignment_with(&self, sought: &[TopicPartition]) -> Result<Vec<TopicPartition>> {
        let list = PartitionList::new(&self.assignment()?);
        // SAFETY: handle and list are alive; the positions are written into the list.
        check("read positions", unsafe { sys::rd_kafka_position(self.raw(), list.as_ptr()) })?;
        let all = list.to_vec().into_iter().map(|p| {
            let is_same = |s: &&TopicPartition| s.partition == p.partition && s.topic == p.topic;
            let offset = match sought.iter().find(is_same) {
                Some(sought) => sought.offset,
                None if p.offset >= 0 => p.offset,
                None => self.starts().of(&p).unwrap_or(p.offset),
            };
            TopicPartition::at(p.topic, p.partition, offset)
        });
        Ok(all.collect())
    }
}
