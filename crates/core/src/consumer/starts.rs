//! Where a partition starts that has no committed offset, or whose offset the log does not have. Pure.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::inbox::TopicSubscription;
use super::known_partitions::KnownPartitions;
use super::uncommitted_starts::UncommittedStarts;
use crate::kafka::{OFFSET_BEGINNING, OFFSET_END, TopicPartition};

/// Partitions of topics.
#[derive(Debug, Default)]
pub(super) struct PartitionSet(HashMap<String, BTreeSet<i32>>);

impl PartitionSet {
    /// Adds a partition.
    pub(super) fn insert(&mut self, topic: &str, partition: i32) {
        if let Some(partitions) = self.0.get_mut(topic) {
            partitions.insert(partition);
        } else {
            self.0.insert(topic.to_owned(), BTreeSet::from([partition]));
        }
    }

    /// Whether a partition is in it.
    pub(super) fn contains(&self, topic: &str, partition: i32) -> bool {
        self.0.get(topic).is_some_and(|partitions| partitions.contains(&partition))
    }
}

/// What the consumer has subscribed to, by topic.
#[derive(Debug, Default)]
pub(super) struct Starts {
    topics: HashMap<String, TopicSubscription>,
    /// Partitions whose offsets this member has committed.
    committed: PartitionSet,
    uncommitted: Arc<UncommittedStarts>,
    known: Arc<KnownPartitions>,
}

impl Starts {
    /// Nothing is subscribed to.
    pub(super) fn new(uncommitted: Arc<UncommittedStarts>, known: Arc<KnownPartitions>) -> Self {
        Self { uncommitted, known, ..Self::default() }
    }

    /// Replaces the subscription.
    pub(super) fn subscribe(&mut self, topics: Vec<TopicSubscription>) {
        // Where every partition is read from its beginning there is nothing to tell.
        for t in topics.iter().filter(|t| !t.from_beginning) {
            t.partitions.inspect(|&count| self.known.note(&t.topic, count));
        }
        self.topics = topics.into_iter().map(|t| (t.topic.clone(), t)).collect();
    }

    /// Whether the topic is subscribed to.
    pub(super) fn is_subscribed(&self, topic: &str) -> bool {
        self.topics.contains_key(topic)
    }

    /// This member has committed an offset of the partition.
    pub(super) fn note_committed(&mut self, topic: &str, partition: i32) {
        self.committed.insert(topic, partition);
        self.uncommitted.forget(topic, partition);
    }

    /// The group has a committed offset of the partition, whoever has committed it.
    pub(super) fn note_offset(&self, topic: &str, partition: i32) {
        self.uncommitted.forget(topic, partition);
    }

    /// The group has known so many partitions of the topic from the start.
    pub(super) fn note_known(&self, topic: &str, count: i32) {
        self.known.note(topic, count);
    }

    /// The partition starts at this absolute offset, which has to be committed.
    pub(super) fn note_start(&self, p: &TopicPartition) {
        self.uncommitted.note(p);
    }

    /// Where this member has started the partition already, without having committed it.
    fn uncommitted(&self, p: &TopicPartition) -> Option<i64> {
        self.uncommitted.of(&p.topic, p.partition)
    }

    fn starts_at_beginning(&self, topic: &str) -> bool {
        self.topics.get(topic).is_some_and(|t| t.from_beginning)
    }

    /// Whether the partition did not exist when the group began with its topic: it was added since, its topic did not
    /// exist, or the topic was deleted and created again, as a committed offset that is gone shows (brokers delete the
    /// offsets of a deleted topic).
    fn appeared(&self, topic: &str, partition: i32) -> bool {
        self.known.of(topic).is_some_and(|count| partition >= count)
            || self.committed.contains(topic, partition)
    }

    /// Partitions of the same topics, whose committed offsets may say whether the given ones are new. Only for topics
    /// that start at their end, and where this member does not know it already.
    pub(super) fn witnesses(&self, without: &[&TopicPartition]) -> Vec<TopicPartition> {
        let mut most: HashMap<&str, i32> = HashMap::new();
        for p in without {
            let is_known = self.uncommitted(p).is_some() || self.appeared(&p.topic, p.partition);
            if !self.starts_at_beginning(&p.topic) && !is_known {
                let known = self.topics.get(&p.topic).and_then(|t| t.partitions).unwrap_or(0);
                let count = most.entry(&p.topic).or_default();
                *count = (*count).max(known).max(p.partition + 1);
            }
        }
        let partitions = most.into_iter().flat_map(|(topic, count)| (0..count).map(move |p| (topic, p)));
        partitions.map(|(topic, partition)| TopicPartition::at(topic, partition, 0)).collect()
    }

    /// The start of a partition without a committed offset: where this member has started it before, else the
    /// beginning or the end. Called once what [`Starts::witnesses`] say is noted.
    pub(super) fn without_offset(&self, p: &TopicPartition) -> Start {
        if let Some(offset) = self.uncommitted(p) {
            return Start { offset, holds: true };
        }
        let is_new = self.appeared(&p.topic, p.partition);
        let offset = if is_new || self.starts_at_beginning(&p.topic) { OFFSET_BEGINNING } else { OFFSET_END };
        // Unless committed, the end would be a different offset after a restart, and a new partition would no longer
        // count as new.
        Start { offset, holds: is_new || offset == OFFSET_END }
    }

    /// Where to go on when the log has no record at `offset`: it begins at `low` and ends before `high`. `forgotten`:
    /// the group no longer has a committed offset. Returns [`OFFSET_BEGINNING`] if the topic was created again.
    pub(super) fn out_of_range(&self, p: &TopicPartition, low: i64, high: i64, forgotten: bool) -> i64 {
        // Where nothing was committed yet, that nothing is proves nothing.
        let is_new =
            p.offset == OFFSET_BEGINNING || (forgotten && self.committed.contains(&p.topic, p.partition));
        if !is_new && (low..=high).contains(&p.offset) {
            // The log has the offset by now.
            return p.offset;
        }
        // Of what came after its own start, the member skips nothing that is left.
        let is_behind = p.offset < low && self.uncommitted(p).is_some();
        if is_new || is_behind || self.starts_at_beginning(&p.topic) { low } else { high }
    }
}

/// Where a partition starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    /// A logical offset, or an absolute one.
    pub(super) offset: i64,
    /// Whether it has to be committed before any record is handled.
    pub(super) holds: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn starts(from_beginning: bool, partitions: Option<i32>) -> Starts {
        let mut starts = Starts::default();
        starts.subscribe(vec![TopicSubscription { topic: "t".into(), from_beginning, partitions }]);
        starts
    }

    fn at(partition: i32) -> TopicPartition {
        TopicPartition::at("t", partition, 0)
    }

    const END: Start = Start { offset: OFFSET_END, holds: true };
    const NEW: Start = Start { offset: OFFSET_BEGINNING, holds: true };

    #[test]
    fn what_was_there_starts_as_subscribed() {
        assert_eq!(starts(false, Some(3)).without_offset(&at(2)), END);
        let beginning = Start { offset: OFFSET_BEGINNING, holds: false };
        assert_eq!(starts(true, Some(3)).without_offset(&at(2)), beginning);
        assert_eq!(starts(false, None).without_offset(&at(0)), END);
    }

    #[test]
    fn what_this_member_has_met_without_is_new() {
        assert_eq!(starts(false, Some(3)).without_offset(&at(3)), NEW);
        assert_eq!(starts(false, Some(0)).without_offset(&at(0)), NEW);
    }

    #[test]
    fn what_the_group_began_without_is_new() {
        let starts = starts(false, Some(4));
        assert_eq!(starts.without_offset(&at(2)), END, "the group may not have begun yet");
        starts.note_known("t", 2);
        assert_eq!(starts.without_offset(&at(2)), NEW);
        assert_eq!(starts.without_offset(&at(1)), END);
        starts.note_known("t", 4);
        assert_eq!(starts.without_offset(&at(2)), NEW, "other members may know of more by now");
    }

    #[test]
    fn what_this_member_could_not_commit_starts_where_it_has_started() {
        let start = |offset| Start { offset, holds: true };
        let mut starts = starts(false, Some(2));
        starts.note_start(&TopicPartition { offset: 7, ..at(1) });
        assert_eq!(starts.without_offset(&at(1)), start(7));
        starts.note_known("t", 1);
        assert_eq!(starts.without_offset(&at(1)), start(7), "it knows better than the group");
        assert_eq!(starts.without_offset(&at(0)), END);
        assert_eq!(starts.witnesses(&[&at(1)]).len(), 0, "nothing is left to ask the group");
        starts.note_offset("t", 1);
        assert_eq!(starts.without_offset(&at(1)), NEW, "others have committed since");
        starts.note_start(&TopicPartition { offset: 9, ..at(1) });
        starts.note_committed("t", 1);
        assert_eq!(starts.without_offset(&at(1)), NEW, "the group has lost it");
    }

    #[test]
    fn a_start_that_was_never_committed_says_nothing_of_the_topic() {
        let starts = starts(false, Some(2));
        let gone = |offset, low, high| {
            starts.note_start(&TopicPartition { offset: 7, ..at(1) });
            starts.out_of_range(&TopicPartition { offset, ..at(1) }, low, high, true)
        };
        assert_eq!(gone(7, 0, 20), 7, "the log has it again");
        assert_eq!(gone(9, 0, 8), 8, "the log was cut off");
        assert_eq!(gone(7, 10, 20), 10, "what is left after it is not skipped");
    }

    #[test]
    fn a_topic_whose_committed_offset_is_gone_is_another_one() {
        let mut starts = starts(false, Some(1));
        assert_eq!(starts.out_of_range(&TopicPartition { offset: 9, ..at(0) }, 0, 2, true), 2);
        starts.note_committed("t", 0);
        assert_eq!(starts.without_offset(&at(0)), NEW);
        assert_eq!(starts.out_of_range(&TopicPartition { offset: 9, ..at(0) }, 0, 2, true), 0);
        assert_eq!(starts.out_of_range(&TopicPartition { offset: 1, ..at(0) }, 0, 2, true), 0);
        assert_eq!(starts.out_of_range(&TopicPartition { offset: 9, ..at(0) }, 0, 2, false), 2);
    }

    #[test]
    fn a_topic_that_was_made_anew_is_read_from_its_beginning() {
        let anew = TopicPartition { offset: OFFSET_BEGINNING, ..at(0) };
        for forgotten in [true, false] {
            assert_eq!(starts(false, Some(1)).out_of_range(&anew, 1, 5, forgotten), 1);
        }
    }

    #[test]
    fn the_group_is_asked_only_for_what_this_member_does_not_know() {
        let partitions = |starts: &Starts, without: &[i32]| {
            let without: Vec<_> = without.iter().map(|&p| at(p)).collect();
            starts.witnesses(&without.iter().collect::<Vec<_>>()).len()
        };
        assert_eq!(partitions(&starts(true, Some(3)), &[0]), 0);
        assert_eq!(partitions(&starts(false, Some(3)), &[3]), 0);
        assert_eq!(partitions(&starts(false, Some(3)), &[0]), 3);
        assert_eq!(partitions(&starts(false, None), &[4]), 5);
    }

    proptest! {
        /// The new offset is always within the log.
        #[test]
        fn nobody_is_sent_out_of_the_log(
            offset in -5..50_i64, low in 0..20_i64, length in 0..20_i64,
            from_beginning: bool, started: bool, committed: bool, forgotten: bool,
        ) {
            let mut starts = starts(from_beginning, Some(1));
            if started {
                starts.note_start(&TopicPartition { offset, ..at(0) });
            }
            if committed {
                starts.note_committed("t", 0);
            }
            let to = starts.out_of_range(&TopicPartition { offset, ..at(0) }, low, low + length, forgotten);
            prop_assert!((low..=low + length).contains(&to));
        }
    }
}
