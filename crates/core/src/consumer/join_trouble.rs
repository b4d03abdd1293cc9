//! How long joining the group has been failing. Pure.
//!
//! librdkafka retries for ever. A join may take long by itself, while other members finish their work, so its
//! duration alone says nothing: what counts is how long failures have gone on without progress.

use std::fmt;
use std::time::{Duration, Instant};

/// A step of joining a group; each needs the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum JoinStep {
    /// Reaching any broker.
    Connection,
    /// Finding the group's coordinator.
    FindCoordinator,
    /// Joining.
    JoinGroup,
    /// Being given partitions.
    SyncGroup,
    /// All steps in one, where the broker assigns the partitions (KIP-848).
    ConsumerGroupHeartbeat,
}

impl JoinStep {
    /// The step of a request's number in Kafka's protocol.
    #[must_use]
    pub fn of_request(api_key: i16) -> Option<Self> {
        match api_key {
            10 => Some(Self::FindCoordinator),
            11 => Some(Self::JoinGroup),
            14 => Some(Self::SyncGroup),
            68 => Some(Self::ConsumerGroupHeartbeat),
            _ => None,
        }
    }
}

impl fmt::Display for JoinStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection => f.write_str("reaching a broker"),
            request => write!(f, "{request:?}"),
        }
    }
}

/// Kafka's error `MEMBER_ID_REQUIRED`, "join again under this id": the answer to every first join.
const MEMBER_ID_REQUIRED: i32 = 79;
/// Kafka's errors for a member whose group has moved on to another generation: `ILLEGAL_GENERATION`,
/// `UNKNOWN_MEMBER_ID`, `REBALANCE_IN_PROGRESS`.
const LEFT_BEHIND: [i32; 3] = [22, 25, 27];
/// librdkafka's code of requests that end because their client is destroyed.
const DESTROY: i32 = crate::error::CODE_DESTROY;

/// A join that keeps failing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinTrouble {
    /// The last step that failed.
    pub step: JoinStep,
    /// The error code of that step.
    pub code: i32,
    furthest: JoinStep,
    since: Instant,
    until: Instant,
}

impl JoinTrouble {
    /// The trouble, if any, after the answer to a step.
    #[must_use]
    pub fn after(trouble: Option<Self>, step: JoinStep, code: i32, now: Instant) -> Option<Self> {
        match code {
            MEMBER_ID_REQUIRED | DESTROY => trouble,
            0 => trouble.filter(|t| step < t.furthest),
            _ => {
                let (furthest, since) = trouble.map_or((step, now), |t| (t.furthest.max(step), t.since));
                Some(Self { step, code, furthest, since, until: now })
            }
        }
    }

    /// For how long it has been failing.
    #[must_use]
    pub fn lasted(&self) -> Duration {
        self.until - self.since
    }

    /// Whether the group may just be changing too often for the member to keep up.
    #[must_use]
    pub fn is_left_behind(&self) -> bool {
        LEFT_BEHIND.contains(&self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The trouble after these answers, a second apart.
    fn after(answers: &[(JoinStep, i32)]) -> Option<JoinTrouble> {
        let start = Instant::now();
        answers.iter().zip(0..).fold(None, |trouble, (&(step, code), second)| {
            JoinTrouble::after(trouble, step, code, start + Duration::from_secs(second))
        })
    }

    fn lasted(answers: &[(JoinStep, i32)]) -> Option<u64> {
        after(answers).map(|t| t.lasted().as_secs())
    }

    use JoinStep::{Connection, ConsumerGroupHeartbeat, FindCoordinator, JoinGroup, SyncGroup};
    const NOT_COORDINATOR: i32 = 16;
    const REBALANCING: i32 = 27;

    #[test]
    fn a_step_forward_ends_it_and_a_step_that_worked_before_does_not() {
        assert_eq!(lasted(&[(FindCoordinator, 15), (FindCoordinator, 0)]), None);
        assert_eq!(lasted(&[(JoinGroup, NOT_COORDINATOR), (FindCoordinator, 0)]), Some(0));
        let again = [(JoinGroup, NOT_COORDINATOR), (FindCoordinator, 0), (JoinGroup, NOT_COORDINATOR)];
        assert_eq!(lasted(&again), Some(2));
        assert_eq!(lasted(&[(SyncGroup, REBALANCING), (JoinGroup, 0), (SyncGroup, REBALANCING)]), Some(2));
        assert_eq!(lasted(&[(SyncGroup, REBALANCING), (FindCoordinator, 15), (JoinGroup, 0)]), Some(1));
        assert_eq!(lasted(&[(SyncGroup, REBALANCING), (JoinGroup, 0), (SyncGroup, 0)]), None);
        assert_eq!(lasted(&[(Connection, -187), (FindCoordinator, 0)]), None);
        assert_eq!(lasted(&[(ConsumerGroupHeartbeat, 15), (ConsumerGroupHeartbeat, 0)]), None);
    }

    #[test]
    fn what_belongs_to_every_join_is_no_trouble() {
        assert_eq!(after(&[(JoinGroup, MEMBER_ID_REQUIRED)]), None);
        assert_eq!(after(&[(JoinGroup, DESTROY)]), None);
    }

    #[test]
    fn time_counts_up_to_the_last_failure() {
        let trouble = after(&[(JoinGroup, NOT_COORDINATOR), (JoinGroup, REBALANCING), (FindCoordinator, 0)]);
        let trouble = trouble.map(|t| (t.step, t.code, t.lasted().as_secs(), t.is_left_behind()));
        assert_eq!(trouble, Some((JoinGroup, REBALANCING, 1, true)));
    }
}
