//! Where partitions are read from, found out before they are assigned.
//!
//! A partition is assigned at an absolute offset, or not at all. librdkafka could look up logical and committed
//! offsets by itself, but after some errors it gives up for good, without a word, and the partition delivers nothing.
//! So the lookup is done and retried here, and the consumer fails if it does not succeed in time.

use std::time::{Duration, Instant};

use super::context::{Context, Failed};
use super::inbox::TopicSubscription;
use super::starts::{PartitionSet, Starts};
use crate::error::{
    CODE_CLUSTER_AUTHORIZATION_FAILED, CODE_GROUP_AUTHORIZATION_FAILED, CODE_INVALID_ARG, CODE_TIMED_OUT,
    CODE_TOPIC_AUTHORIZATION_FAILED, Error, Result,
};
use crate::kafka::{Client, ConsumerClient, OFFSET_BEGINNING, OFFSET_END, OFFSET_INVALID, TopicPartition};

/// Longest wait for one answer, so that a close need not wait for the whole time limit.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// Shortest and longest pause before a refused request is made again.
pub(super) const REFUSED_PAUSE: Duration = Duration::from_millis(100);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Errors that retrying does not change.
pub(super) const PERMANENT: [i32; 4] = [
    CODE_TOPIC_AUTHORIZATION_FAILED,
    CODE_GROUP_AUTHORIZATION_FAILED,
    CODE_CLUSTER_AUTHORIZATION_FAILED,
    CODE_INVALID_ARG,
];

/// Result of finding out positions.
pub(super) type Fixed<T> = std::result::Result<T, Unfixed>;

/// Why positions could not be found out.
pub(super) enum Unfixed {
    /// The consumer is to be closed.
    Closing,
    /// It failed for good, or for too long.
    Failed(Failed),
}

impl From<Error> for Unfixed {
    fn from(error: Error) -> Self {
        Self::Failed(error.into())
    }
}

/// Finds out where partitions are read from.
pub(super) struct Positions {
    starts: Starts,
    /// Time limit.
    timeout: Duration,
    /// Whether offsets are committed automatically.
    auto_commit: bool,
}

impl Positions {
    pub(super) fn new(timeout: Duration, auto_commit: bool) -> Self {
        Self { starts: Starts::default(), timeout, auto_commit }
    }

    /// Replaces the subscription.
    pub(super) fn subscribe(&mut self, topics: Vec<TopicSubscription>) {
        self.starts.subscribe(topics);
    }

    /// Whether the topic is subscribed to.
    pub(super) fn is_subscribed(&self, topic: &str) -> bool {
        self.starts.is_subscribed(topic)
    }

    /// Offsets of these partitions have been committed.
    pub(super) fn note_committed(&mut self, partitions: &[TopicPartition]) {
        for p in partitions {
            self.starts.note_committed(&p.topic, p.partition);
        }
    }

    /// Where to start reading: committed offsets, else the beginning or the end as subscribed or as the partition is
    /// new. Returns the starts that have to be committed right away, where nothing is committed yet: otherwise a
    /// restart before the first commit would skip records that arrive meanwhile. The metadata of committed offsets
    /// stays with their partitions.
    pub(super) fn start_positions<C: ConsumerClient>(
        &self,
        context: &Context<C>,
        partitions: &mut [TopicPartition],
    ) -> Fixed<Vec<TopicPartition>> {
        let committed = self.committed_offsets(context, partitions)?;
        for (p, c) in partitions.iter_mut().zip(committed) {
            (p.offset, p.metadata) = (c.offset, c.metadata);
        }
        let without: Vec<&TopicPartition> = partitions.iter().filter(|p| p.offset < 0).collect();
        let mut known = PartitionSet::default();
        // Without automatic commits the group has offsets only of partitions where the application committed, and
        // they say nothing about the others.
        let witnesses = if self.auto_commit { self.starts.witnesses(&without) } else { Vec::new() };
        if !witnesses.is_empty() {
            for c in self.committed_offsets(context, &witnesses)?.iter().filter(|c| c.offset >= 0) {
                known.insert(&c.topic, c.partition);
            }
        }
        let mut holds = vec![false; partitions.len()];
        for (p, holds) in partitions.iter_mut().zip(&mut holds).filter(|(p, _)| p.offset < 0) {
            let start = self.starts.without_offset(p, &known);
            (p.offset, *holds) = (start.offset, start.holds);
        }
        self.resolve(context, partitions)?;
        Ok(partitions.iter().zip(holds).filter(|(_, holds)| *holds).map(|(p, _)| p.clone()).collect())
    }

    /// Goes on where the partition was last read, else at its present end; remembers both. A partition that
    /// is kept over a rebalance starts where it stood even if nothing was read of it yet: a reply may have
    /// arrived since.
    pub(super) fn reply_positions<C: ConsumerClient>(
        &self,
        context: &Context<C>,
        partitions: &mut [TopicPartition],
    ) -> Fixed<()> {
        let known = context.intake().positions(|positions| positions.clone()).unwrap_or_default();
        for p in partitions.iter_mut() {
            let position = known.get(&(p.topic.clone(), p.partition));
            p.offset = position.copied().unwrap_or(OFFSET_END);
        }
        self.resolve(context, partitions)?;
        // Forgets partitions that have moved away: if one comes back, the replies in between were for other clients.
        let kept = context.assignments().partitions();
        context.intake().positions(|positions| {
            positions.retain(|partition, _| kept.contains(partition));
            positions.extend(partitions.iter().map(|p| ((p.topic.clone(), p.partition), p.offset)));
        });
        Ok(())
    }

    /// Committed offsets; [`OFFSET_INVALID`] where there are none.
    fn committed_offsets<C: ConsumerClient>(
        &self,
        context: &Context<C>,
        partitions: &[TopicPartition],
    ) -> Fixed<Vec<TopicPartition>> {
        let asked: Vec<TopicPartition> =
            partitions.iter().map(|p| TopicPartition { offset: OFFSET_INVALID, ..p.clone() }).collect();
        self.patiently(context, |timeout| {
            all_found::<C::Client>("fetch committed offsets", context.client().committed(&asked, timeout)?)
        })
    }

    /// Turns beginning and end into absolute offsets as of now, so that no record produced later is missed.
    fn resolve<C: ConsumerClient>(
        &self,
        context: &Context<C>,
        partitions: &mut [TopicPartition],
    ) -> Fixed<()> {
        let logical: Vec<TopicPartition> = partitions.iter().filter(|p| p.offset < 0).cloned().collect();
        if logical.is_empty() {
            return Ok(());
        }
        let resolved = self.patiently(context, |timeout| {
            let resolved = all_found::<C::Client>(
                "list offsets",
                context.client().client().resolve_offsets(&logical, timeout)?,
            )?;
            if resolved.iter().all(|r| r.offset >= 0) {
                return Ok(resolved);
            }
            Err(Error::state("list offsets", "the broker has answered without an offset"))
        })?;
        for p in partitions.iter_mut().filter(|p| p.offset < 0) {
            if let Some(r) = resolved.iter().find(|r| r.partition == p.partition && r.topic == p.topic) {
                p.offset = r.offset;
            }
        }
        Ok(())
    }

    /// Retries until there is an answer, the time limit has passed, or the consumer is to be closed.
    fn patiently<C: ConsumerClient, T>(
        &self,
        context: &Context<C>,
        mut ask: impl FnMut(i32) -> Result<T>,
    ) -> Fixed<T> {
        let deadline = Instant::now() + self.timeout;
        let (mut pause, mut told, mut refusal) = (REFUSED_PAUSE, false, None);
        loop {
            let error = match ask(milliseconds(left_until(deadline).min(PATIENCE))) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if PERMANENT.contains(&error.code) {
                return Err(error.into());
            }
            // The last request may have timed out only because little time was left; the broker's refusal of an
            // earlier one is the reason to report.
            let error = if error.code == CODE_TIMED_OUT { refusal.take().unwrap_or(error) } else { error };
            if left_until(deadline).is_zero() {
                return Err(Unfixed::Failed(Failed { error, exhausted: true }));
            }
            if !std::mem::replace(&mut told, true) {
                context.warn("OFFSET", &format!("{error}; asking again"));
            }
            refusal = (error.code != CODE_TIMED_OUT).then_some(error);
            if context.inbox().close_comes_within(pause) {
                return Err(Unfixed::Closing);
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Where to continue when the log does not have an offset.
    pub(super) fn place_in_log<C: ConsumerClient>(
        &self,
        context: &Context<C>,
        p: &TopicPartition,
        timeout: i32,
    ) -> Result<TopicPartition> {
        let ends = [OFFSET_BEGINNING, OFFSET_END].map(|offset| TopicPartition { offset, ..p.clone() });
        // One request for each end: a list can name a partition only once.
        let resolve = |end: &TopicPartition| -> Result<i64> {
            let found = context.client().client().resolve_offsets(std::slice::from_ref(end), timeout)?;
            Ok(all_found::<C::Client>("list offsets", found)?.first().map_or(OFFSET_INVALID, |p| p.offset))
        };
        let (low, high) = (resolve(&ends[0])?, resolve(&ends[1])?);
        if low < 0 || high < low {
            return Err(Error::state("list offsets", "the broker has answered without an offset"));
        }
        let asked = [TopicPartition { offset: OFFSET_INVALID, ..p.clone() }];
        let committed =
            all_found::<C::Client>("fetch committed offsets", context.client().committed(&asked, timeout)?)?;
        let forgotten = committed.iter().all(|c| c.offset < 0);
        let offset = self.starts.out_of_range(p, low, high, forgotten);
        let lost = match p.offset {
            OFFSET_BEGINNING => "was made anew".to_owned(),
            asked => format!("has no offset {asked}, only {low} to {high}"),
        };
        context.warn("OFFSET", &format!("{} [{}] {lost}: going on at {offset}", p.topic, p.partition));
        Ok(TopicPartition { offset, ..p.clone() })
    }
}

/// The answer, or an error if any partition has one: an error does not mean "no offset".
pub(super) fn all_found<C: Client>(
    operation: &'static str,
    answer: Vec<TopicPartition>,
) -> Result<Vec<TopicPartition>> {
    match answer.iter().find(|p| p.error != 0) {
        Some(failed) => {
            let text = format!("{} [{}]: {}", failed.topic, failed.partition, C::describe(failed.error));
            Err(Error::new(operation, failed.error, text))
        }
        None => Ok(answer),
    }
}

fn left_until(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

pub(super) fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX).max(1)
}
