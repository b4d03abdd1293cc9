//! Where a partition starts that has no committed offset, or whose offset the log does not have. Pure.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::inbox::TopicSubscription;
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

    /// How many partitions of a topic are in it, if they are exactly 0 to n - 1; else 0.
    fn first_ones(&self, topic: &str) -> i32 {
        let Some(partitions) = self.0.get(topic) else { return 0 };
        let without_gap = (0..).zip(partitions).all(|(number, &partition)| number == partition);
        if without_gap { i32::try_from(partitions.len()).unwrap_or(i32::MAX) } else { 0 }
    }
}

/// What the consumer has subscribed to, by topic.
#[derive(Debug, Default)]
pub(super) struct Starts {
    topics: HashMap<String, TopicSubscription>,
    /// Partitions whose offsets this member has committed.
    committed: PartitionSet,
    uncommitted: Arc<UncommittedStarts>,
}

impl Starts {
    /// Nothing is subscribed to.
    pub(super) fn new(uncommitted: Arc<UncommittedStarts>) -> Self {
        Self { uncommitted, ..Self::default() }
    }

    /// Replaces the subscription.
    pub(super) fn subscribe(&mut self, topics: Vec<TopicSubscription>) {
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

    /// Whether the partition did not exist when this member subscribed: it was added since, its topic did not exist,
    /// or the topic was deleted and created again, as a committed offset that is gone shows (brokers delete the
    /// offsets of a deleted topic).
    fn appeared(&self, topic: &str, partition: i32) -> bool {
        let known = self.topics.get(topic).and_then(|t| t.partitions);
        known.is_some_and(|count| partition >= count) || self.committed.contains(topic, partition)
    }

    /// Other partitions of the same topics, whose committed offsets show whether the given ones are new. Only for
    /// topics that start at their end, and where this member does not know it already.
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
    /// beginning or the end.
    ///
    /// `witnesses` are the partitions for which the group has committed offsets. A member of this package commits its
    /// start in every partition assigned to it. So if the group has offsets of exactly a topic's first partitions,
    /// the others were added later.
    pub(super) fn without_offset(&self, p: &TopicPartition, witnesses: &PartitionSet) -> Start {
        if let Some(offset) = self.uncommitted(p) {
            return Start { offset, holds: true };
        }
        let known = witnesses.first_ones(&p.topic);
        let is_new = self.appeared(&p.topic, p.partition) || (known > 0 && p.partition >= known);
        let offset = if is_new || self.starts_at_beginning(&p.topic) { OFFSET_BEGINNING } else { OFFSET_END };
        // Unless committed, the end would be a different offset after a restart, and a new partition would no longer
        // count as new.
        Start { offset, holds: is_new || offset == OFFSET_END }
    }

    /// Where to go on when the log has no record at `offset`: it begins at `low` and ends before `high`. `forgotten`:
    /// the group no longer has a committed offset. Returns [`OFFSET_BEGINNING`] if the topic was created again.
    pub(super) fn out_of_range(&self, p: &TopicPartition, low: i64, high: i64, forgotten: bool) -> i64 {
        let has_started = self.committed.contains(&p.topic, p.partition) || self.uncommitted(p).is_some();
        let is_new = p.offset == OFFSET_BEGINNING || (forgotten && has_started);
        if !is_new && (low..=high).contains(&p.offset) {
            // The log has the offset by now.
            return p.offset;
        }
        if is_new || self.starts_at_beginning(&p.topic) { low } else { high }
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

    fn set(partitions: &[i32]) -> PartitionSet {
        let mut set = PartitionSet::default();
        for &p in partitions {
            set.insert("t", p);
        }
        set
    }

    fn at(partition: i32) -> TopicPartition {
        TopicPartition::at("t", partition, 0)
    }

    const END: Start = Start { offset: OFFSET_END, holds: true };
    const NEW: Start = Start { offset: OFFSET_BEGINNING, holds: true };

    #[test]
    fn what_was_there_starts_as_subscribed() {
        assert_eq!(starts(false, Some(3)).without_offset(&at(2), &set(&[])), END);
        let beginning = Start { offset: OFFSET_BEGINNING, holds: false };
        assert_eq!(starts(true, Some(3)).without_offset(&at(2), &set(&[])), beginning);
        assert_eq!(starts(false, None).without_offset(&at(0), &set(&[])), END);
    }

    #[test]
    fn what_this_member_has_met_without_is_new() {
        assert_eq!(starts(false, Some(3)).without_offset(&at(3), &set(&[])), NEW);
        assert_eq!(starts(false, Some(0)).without_offset(&at(0), &set(&[])), NEW);
    }

    #[test]
    fn what_the_group_has_met_without_is_new() {
        let starts = starts(false, Some(4));
        assert_eq!(starts.without_offset(&at(2), &set(&[0, 1])), NEW);
        assert_eq!(
            starts.without_offset(&at(1), &set(&[0, 2])),
            END,
            "a member of kafkajs commits what it reads"
        );
        assert_eq!(starts.without_offset(&at(0), &set(&[1])), END);
    }

    #[test]
    fn what_this_member_could_not_commit_starts_where_it_has_started() {
        let start = |offset| Start { offset, holds: true };
        let mut starts = starts(false, Some(2));
        starts.note_start(&TopicPartition { offset: 7, ..at(1) });
        assert_eq!(starts.without_offset(&at(1), &set(&[])), start(7));
        assert_eq!(starts.without_offset(&at(1), &set(&[0])), start(7), "it knows better than the group");
        assert_eq!(starts.without_offset(&at(0), &set(&[])), END);
        assert_eq!(starts.witnesses(&[&at(1)]).len(), 0, "nothing is left to ask the group");
        assert_eq!(starts.out_of_range(&TopicPartition { offset: 7, ..at(1) }, 0, 2, true), 0, "made anew");
        starts.note_offset("t", 1);
        assert_eq!(starts.without_offset(&at(1), &set(&[])), END, "others have committed since");
        starts.note_start(&TopicPartition { offset: 9, ..at(1) });
        starts.note_committed("t", 1);
        assert_eq!(starts.without_offset(&at(1), &set(&[])), NEW, "the group has lost it");
    }

    #[test]
    fn a_topic_whose_committed_offset_is_gone_is_another_one() {
        let mut starts = starts(false, Some(1));
        assert_eq!(starts.out_of_range(&TopicPartition { offset: 9, ..at(0) }, 0, 2, true), 2);
        starts.note_committed("t", 0);
        assert_eq!(starts.without_offset(&at(0), &set(&[])), NEW);
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
