//! Where partitions are read from, found out before they are assigned.
//!
//! A partition is assigned at an absolute offset, or not at all. librdkafka could look up logical and committed
//! offsets by itself, but after some errors it gives up for good, without a word, and the partition delivers nothing.
//! So the lookup is done and retried here, and the consumer fails if it does not succeed in time.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::commit_metadata;
use super::context::{Context, Failed};
use super::inbox::TopicSubscription;
use super::known_partitions::KnownPartitions;
use super::starts::Starts;
use super::uncommitted_starts::UncommittedStarts;
use crate::error::{
    CODE_CLUSTER_AUTHORIZATION_FAILED, CODE_GROUP_AUTHORIZATION_FAILED, CODE_INVALID_ARG, CODE_TIMED_OUT,
    CODE_TOPIC_AUTHORIZATION_FAILED, Error, Result,
};
use crate::kafka::{Client, ConsumerClient, OFFSET_BEGINNING, OFFSET_END, OFFSET_INVALID, TopicPartition};

/// Longest wait for one answer that no fetch request is in the way of, so that a close need not wait for the whole time
/// limit.
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
    /// Longest wait for one answer of a partition's leader: it answers a consumer's requests one after the other, and
    /// the one before may be a fetch request that waits for records.
    leader_patience: Duration,
    /// Whether offsets are committed automatically.
    auto_commit: bool,
}

impl Positions {
    /// `timeout` without the time that leaders let fetch requests wait, `fetch_wait`.
    pub(super) fn new(
        timeout: Duration,
        fetch_wait: Duration,
        auto_commit: bool,
        uncommitted: Arc<UncommittedStarts>,
        known_partitions: Arc<KnownPartitions>,
    ) -> Self {
        let (timeout, leader_patience) = (timeout + fetch_wait, PATIENCE + fetch_wait);
        Self { starts: Starts::new(uncommitted, known_partitions), timeout, leader_patience, auto_commit }
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
        self.note_known(&committed);
        for (p, c) in partitions.iter_mut().zip(committed) {
            (p.offset, p.metadata) = (c.offset, c.metadata);
            if p.offset >= 0 {
                self.starts.note_offset(&p.topic, p.partition);
            }
        }
        let without: Vec<&TopicPartition> = partitions.iter().filter(|p| p.offset < 0).collect();
        // Without automatic commits the offsets are the application's, and say nothing of other partitions.
        let witnesses = if self.auto_commit { self.starts.witnesses(&without) } else { Vec::new() };
        if !witnesses.is_empty() {
            self.note_known(&self.committed_offsets(context, &witnesses)?);
        }
        let mut holds = vec![false; partitions.len()];
        for (p, holds) in partitions.iter_mut().zip(&mut holds).filter(|(p, _)| p.offset < 0) {
            let start = self.starts.without_offset(p);
            (p.offset, *holds) = (start.offset, start.holds);
        }
        self.resolve(context, partitions)?;
        let held: Vec<_> =
            partitions.iter().zip(holds).filter(|(_, holds)| *holds).map(|(p, _)| p.clone()).collect();
        if self.auto_commit {
            for p in &held {
                self.starts.note_start(p);
            }
        }
        Ok(held)
    }

    /// Notes what committed offsets say of the partitions that the group has known from the start.
    fn note_known(&self, committed: &[TopicPartition]) {
        for c in committed.iter().filter(|c| c.offset >= 0) {
            if let Some(count) = commit_metadata::known_partitions(c.metadata.as_deref()) {
                self.starts.note_known(&c.topic, count);
            }
        }
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
        self.patiently(context, PATIENCE, |timeout| {
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
        let resolved = self.patiently(context, self.leader_patience, |timeout| {
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
        patience: Duration,
        mut ask: impl FnMut(i32) -> Result<T>,
    ) -> Fixed<T> {
        let deadline = Instant::now() + self.timeout;
        let (mut pause, mut told, mut refusal) = (REFUSED_PAUSE, false, None);
        loop {
            let error = match ask(milliseconds(left_until(deadline).min(patience))) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            context.meanwhile();
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
            context.meanwhile();
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Where to continue in partitions whose logs do not have the offset: the same partitions, in the same order. One
    /// request each for all of them, because each may have to wait for a fetch request.
    pub(super) fn places_in_log<C: ConsumerClient>(
        &self,
        context: &Context<C>,
        partitions: &[TopicPartition],
    ) -> Result<Vec<TopicPartition>> {
        let at =
            |offset| partitions.iter().map(|p| TopicPartition { offset, ..p.clone() }).collect::<Vec<_>>();
        let resolve = |end| {
            let found =
                context.client().client().resolve_offsets(&at(end), milliseconds(self.leader_patience))?;
            all_found::<C::Client>("list offsets", found)
        };
        // Both at once, for the same reason; a list can name a partition only once.
        let (low, high) = thread::scope(|scope| {
            let other = thread::Builder::new().spawn_scoped(scope, || resolve(OFFSET_BEGINNING));
            let high = resolve(OFFSET_END);
            let failed = |why: String| Err(Error::state("list offsets", why));
            let low = match other {
                Ok(other) => {
                    other.join().unwrap_or_else(|_| failed("the thread that asks has failed".into()))
                }
                Err(error) => failed(format!("no thread to ask with: {error}")),
            };
            (low, high)
        });
        let (low, high) = (low?, high?);
        let committed = context.client().committed(&at(OFFSET_INVALID), milliseconds(PATIENCE))?;
        let committed = all_found::<C::Client>("fetch committed offsets", committed)?;
        let ends = low.iter().zip(&high).map(|(low, high)| (low.offset, high.offset));
        if ends.len() != partitions.len() || ends.clone().any(|(low, high)| low < 0 || high < low) {
            return Err(Error::state("list offsets", "the broker has answered without an offset"));
        }
        let found = partitions.iter().zip(ends).zip(committed).map(|((p, (low, high)), committed)| {
            let offset = self.starts.out_of_range(p, low, high, committed.offset < 0);
            let lost = match p.offset {
                OFFSET_BEGINNING => "was made anew".to_owned(),
                asked => format!("has no offset {asked}, only {low} to {high}"),
            };
            context.warn("OFFSET", &format!("{} [{}] {lost}: going on at {offset}", p.topic, p.partition));
            TopicPartition { offset, ..p.clone() }
        });
        Ok(found.collect())
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
