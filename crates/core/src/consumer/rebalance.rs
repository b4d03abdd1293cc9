//! Rebalances: partitions that are assigned, and partitions that are revoked.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Mode;
use super::commits::Commits;
use super::context::{Context, Failed, Opened};
use super::membership::Membership;
use super::positions::{Positions, Unfixed};
use crate::boundary::events::{AssignedPartition, GroupEvent, JoinedGroup, UnfinishedPartition};
use crate::error::{Error, Result};
use crate::kafka::{ConsumerClient, TopicPartition};

/// How long the commit before a revocation may take.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(5);

/// A revocation that waits for handlers or for the last commit; or, before the group is left, the same for all partitions,
/// while this member still has them.
struct Revocation {
    /// When waiting for the running handlers, or for the last commit, ends.
    deadline: Instant,
    assignments: Vec<u32>,
    /// Whether the group takes the partitions; otherwise this member leaves.
    of_group: bool,
    /// The revoked partitions of a cooperative rebalance; `None` for all.
    partitions: Option<Vec<TopicPartition>>,
    step: Step,
}

/// Leaving the group. In an incremental rebalance a member keeps partitions, and the group goes on to the next generation before
/// librdkafka has heard of it: a commit is refused then, and librdkafka hears nothing any more once it is closing. So the last commit
/// is made before that.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaving {
    No,
    /// It waits for the handlers and the last commit.
    Committing,
    /// What could be committed is: librdkafka may close.
    Committed,
    /// The same, without a last commit.
    AtOnce,
}

/// What a revocation waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The running handlers.
    Handlers,
    /// The answer to the last commit.
    Commit,
    /// The time of the next last commit: the one before was refused.
    Pause(Instant),
}

/// The consumer's side of the group's rebalances.
pub(super) struct Rebalance {
    mode: Arc<Mode>,
    membership: Arc<Membership>,
    /// How long running handlers may take when partitions are revoked.
    drain_timeout: Duration,
    /// Whether JavaScript was told that the group is rebalancing. The first join does not count as a rebalance.
    announced: bool,
    revocation: Option<Revocation>,
    leaving: Leaving,
}

impl Rebalance {
    pub(super) fn new(mode: Arc<Mode>, membership: Arc<Membership>, drain_timeout: Duration) -> Self {
        Self { mode, membership, drain_timeout, announced: true, revocation: None, leaving: Leaving::No }
    }

    /// When waiting for handlers, or for the last commit, ends, or that is to be made again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.revocation.as_ref().map(|revocation| match revocation.step {
            Step::Pause(until) => until.min(revocation.deadline),
            Step::Handlers | Step::Commit => revocation.deadline,
        })
    }

    /// Whether partitions are being revoked.
    pub(super) fn is_revoking(&self) -> bool {
        self.revocation.is_some()
    }

    /// Whether the last commit before a revocation has begun.
    pub(super) fn is_committing(&self) -> bool {
        self.revocation.as_ref().is_some_and(|revocation| revocation.step != Step::Handlers)
    }

    /// The consumer is to close: its handlers get this long. Returns how long it may take until its partitions are revoked.
    pub(super) fn close<C: ConsumerClient>(&mut self, context: &Context<C>, drain: Duration) -> Duration {
        self.drain_timeout = drain;
        if let Some(revocation) = &mut self.revocation {
            revocation.deadline = revocation.deadline.min(Instant::now() + drain);
        }
        let keeps = matches!(*self.mode, Mode::Records) && context.client().is_cooperative();
        self.leaving = if keeps { Leaving::Committing } else { Leaving::AtOnce };
        self.leave(context);
        if context.assignments().any() { drain + COMMIT_TIMEOUT } else { Duration::ZERO }
    }

    /// Whether librdkafka may close: what was to be done before is done.
    pub(super) fn may_close(&self) -> bool {
        matches!(self.leaving, Leaving::Committed | Leaving::AtOnce)
    }

    /// Begins the last commit of a member that leaves, once no revocation is in the way.
    fn leave<C: ConsumerClient>(&mut self, context: &Context<C>) {
        if self.leaving != Leaving::Committing || self.revocation.is_some() {
            return;
        }
        let assignments = context.assignments().start_revoking(None);
        if assignments.is_empty() || context.client().assignment_lost() {
            self.leaving = Leaving::AtOnce;
            return;
        }
        context.tell(GroupEvent::Revoke { assignments: assignments.clone() });
        let deadline = Instant::now() + self.drain_timeout;
        let step = Step::Handlers;
        self.revocation = Some(Revocation { deadline, assignments, of_group: false, partitions: None, step });
    }

    /// The consumer can commit nothing any more: all its partitions are lost, without a rebalance.
    pub(super) fn give_up<C: ConsumerClient>(&mut self, context: &Context<C>) {
        self.revocation = None;
        let assignments = context.assignments().start_revoking(None);
        let revocation = Revocation {
            deadline: Instant::now(),
            assignments,
            of_group: true,
            partitions: None,
            step: Step::Handlers,
        };
        hand_back(context, &revocation, true);
    }

    /// Partitions were assigned: finds out where each starts, opens its assignment and queue, and starts fetching.
    pub(super) fn assigned<C: ConsumerClient>(
        &mut self,
        context: &Context<C>,
        positions: &Positions,
        mut partitions: Vec<TopicPartition>,
    ) {
        let incremental = context.client().is_cooperative();
        if !incremental {
            close_replaced(context);
        }
        let unsubscribed =
            if incremental { BTreeSet::new() } else { extract_unsubscribed(positions, &mut partitions) };
        let fixed = match *self.mode {
            Mode::Records => positions.start_positions(context, &mut partitions),
            Mode::Replies { .. } => {
                if !self.announced {
                    // A cooperative rebalance that revokes nothing of this member was not announced yet.
                    context.tell(GroupEvent::Rebalancing);
                }
                positions.reply_positions(context, &mut partitions).map(|()| Vec::new())
            }
        };
        self.announced = false;
        let metadata: Vec<_> = partitions.iter_mut().map(|p| p.metadata.take()).collect();
        let fetched = fixed.and_then(|initial| Ok((initial, fetch(context, &partitions, incremental)?)));
        let (initial, opened) = match fetched {
            Ok(fetched) => fetched,
            Err(unfixed) => {
                assigned_in_vain(context);
                if let Unfixed::Failed(failed) = &unfixed {
                    context.fail(failed);
                }
                return;
            }
        };
        for (((assignment, _), p), metadata) in opened.iter().zip(&partitions).zip(&metadata) {
            context.assignments().resume(*assignment, p.offset, metadata.as_deref());
            if initial.iter().any(|i| i.partition == p.partition && i.topic == p.topic) {
                context.assignments().begin_at(*assignment, p.offset);
            }
        }
        context.tell(GroupEvent::Assign {
            member_id: context.client().member_id(),
            join: self.membership.joined().map(|joined| JoinedGroup {
                generation: joined.generation,
                leader_id: joined.leader,
                protocol: joined.protocol,
            }),
            partitions: describe(&opened, &partitions),
            unsubscribed: unsubscribed.into_iter().collect(),
            reply_partitions: match &*self.mode {
                Mode::Replies { assigner, .. } => Some(assigner.reply_partitions()),
                Mode::Records => None,
            },
        });
        context.intake().add(opened);
    }

    /// Partitions are to be revoked: lets the running handlers finish first. Returns whether they were given back
    /// already.
    pub(super) fn revoked<C: ConsumerClient>(
        &mut self,
        context: &Context<C>,
        partitions: Vec<TopicPartition>,
        closing: bool,
    ) -> bool {
        let partitions = context.client().is_cooperative().then_some(partitions);
        let assignments = context.assignments().start_revoking(partitions.as_deref());
        let deadline = Instant::now() + self.drain_timeout;
        let revocation =
            Revocation { deadline, assignments, of_group: true, partitions, step: Step::Handlers };
        let replies = matches!(*self.mode, Mode::Replies { .. });
        // Lost partitions may belong to other members already: nothing can be committed, so there is nothing to wait
        // for.
        let lost = context.client().assignment_lost();
        if !closing {
            self.announced = true;
            context.tell(GroupEvent::Rebalancing);
        }
        let is_committed = self.leaving == Leaving::Committed;
        if replies || lost || is_committed || revocation.assignments.is_empty() {
            hand_back(context, &revocation, lost);
            return true;
        }
        context.tell(GroupEvent::Revoke { assignments: revocation.assignments.clone() });
        self.revocation = Some(revocation);
        false
    }

    /// Continues a revocation once no handler is running, or the drain time-out has passed. Returns whether the
    /// partitions were given back.
    pub(super) fn progress<C: ConsumerClient>(
        &mut self,
        context: &Context<C>,
        commits: &mut Commits,
    ) -> bool {
        self.leave(context);
        let Some(revocation) = &mut self.revocation else { return false };
        let now = Instant::now();
        let due = revocation.deadline <= now;
        let lost = context.client().assignment_lost();
        if lost {
            return self.finish(context, lost);
        }
        match revocation.step {
            Step::Handlers if !due && !context.assignments().at_rest() => return false,
            Step::Handlers => {
                if due {
                    tell_unfinished(context);
                }
                revocation.deadline = now + COMMIT_TIMEOUT;
            }
            Step::Commit | Step::Pause(_) if due => return self.finish(context, false),
            Step::Pause(until) if until <= now => {}
            Step::Commit | Step::Pause(_) => return false,
        }
        if commits.commit_before_revocation(context, !revocation.of_group) {
            revocation.step = Step::Commit;
            return false;
        }
        self.commits_answered(context, commits)
    }

    /// No commit is in flight. Returns whether partitions that waited for the last one were given back.
    pub(super) fn commits_answered<C: ConsumerClient>(
        &mut self,
        context: &Context<C>,
        commits: &Commits,
    ) -> bool {
        match (&mut self.revocation, commits.retry_at()) {
            (Some(revocation), Some(at)) if at < revocation.deadline => {
                revocation.step = Step::Pause(at);
                false
            }
            _ => self.finish(context, false),
        }
    }

    fn finish<C: ConsumerClient>(&mut self, context: &Context<C>, lost: bool) -> bool {
        let Some(revocation) = self.revocation.take() else { return false };
        if revocation.of_group {
            hand_back(context, &revocation, lost);
        } else {
            self.leaving = Leaving::Committed;
        }
        true
    }
}

/// Starts reading these reply partitions too, without a group; they are never revoked.
pub(super) fn assign_replies<C: ConsumerClient>(
    context: &Context<C>,
    positions: &Positions,
    mut partitions: Vec<TopicPartition>,
) -> Result<()> {
    positions.reply_positions(context, &mut partitions).map_err(|unfixed| match unfixed {
        Unfixed::Closing => Error::closed("assign partitions"),
        Unfixed::Failed(Failed { error, .. }) => error,
    })?;
    let opened = fetch(context, &partitions, true)?;
    context.tell(GroupEvent::Assign {
        member_id: String::new(),
        join: None,
        partitions: describe(&opened, &partitions),
        unsubscribed: Vec::new(),
        reply_partitions: Some(context.assignments().partitions().into_iter().collect()),
    });
    context.intake().add(opened);
    Ok(())
}

/// Answers an assignment of which no partition will be read: librdkafka needs an answer all the same.
pub(super) fn assigned_in_vain<C: ConsumerClient>(context: &Context<C>) {
    let client = context.client();
    context.report(if client.is_cooperative() { client.incremental_assign(&[]) } else { client.unassign() });
}

/// Gives the partitions of a revocation back to the group.
fn hand_back<C: ConsumerClient>(
    context: &Context<C>,
    Revocation { assignments, partitions, .. }: &Revocation,
    lost: bool,
) {
    stop(context, assignments);
    let client = context.client();
    context.report(match partitions {
        Some(partitions) => client.incremental_unassign(partitions),
        None => client.unassign(),
    });
    context.tell(GroupEvent::Revoked { assignments: assignments.clone(), lost });
}

/// Takes no more records of these assignments, and closes them.
fn stop<C: ConsumerClient>(context: &Context<C>, assignments: &[u32]) {
    context.intake().remove(assignments);
    for assignment in assignments {
        context.assignments().close(*assignment);
    }
}

/// Closes the assignments that an eager one replaces without their having been revoked, which librdkafka as it is released may leave
/// out where topics change while the answer to an assignment is awaited. Two of a partition would commit for each other: of the one that
/// gets no records everything would seem to be finished.
fn close_replaced<C: ConsumerClient>(context: &Context<C>) {
    let assignments = context.assignments().start_revoking(None);
    if !assignments.is_empty() {
        stop(context, &assignments);
        context.tell(GroupEvent::Revoked { assignments, lost: true });
    }
}

/// Opens partitions and starts fetching: all of them, or none.
fn fetch<C: ConsumerClient>(
    context: &Context<C>,
    partitions: &[TopicPartition],
    incremental: bool,
) -> Result<Opened<C::Queue>> {
    let opened = context.open(partitions)?;
    let client = context.client();
    let answer = if incremental { client.incremental_assign(partitions) } else { client.assign(partitions) };
    answer.inspect_err(|_| context.discard(&opened))?;
    Ok(opened)
}

/// Removes the partitions of topics that this member has not subscribed to, and returns those topics. kafkajs's
/// leaders hand such partitions out, and its members refuse them, when members subscribe to different topics.
fn extract_unsubscribed(positions: &Positions, partitions: &mut Vec<TopicPartition>) -> BTreeSet<String> {
    partitions.extract_if(.., |p| !positions.is_subscribed(&p.topic)).map(|p| p.topic).collect()
}

/// Reports handlers that did not finish in time.
fn tell_unfinished<C: ConsumerClient>(context: &Context<C>) {
    let unfinished = context.assignments().unfinished().into_iter();
    let partitions: Vec<_> = unfinished
        .map(|(topic, partition, records)| UnfinishedPartition {
            topic: topic.to_string(),
            partition,
            records,
        })
        .collect();
    if !partitions.is_empty() {
        context.tell(GroupEvent::DrainTimeout { partitions });
    }
}

/// Opened partitions as events describe them.
fn describe<Q>(opened: &[(u32, Q)], partitions: &[TopicPartition]) -> Vec<AssignedPartition> {
    let of = |((assignment, _), p): (&(u32, Q), &TopicPartition)| AssignedPartition {
        topic: p.topic.clone(),
        partition: p.partition,
        assignment: *assignment,
    };
    opened.iter().zip(partitions).map(of).collect()
}
