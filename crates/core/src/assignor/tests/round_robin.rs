use proptest::prelude::*;

use super::{assert_complete, member, partitions, topics};
use crate::assignor::{Assignor, Member, RoundRobinAssigner, assign_round_robin};

/// What KafkaJS's `assigners/roundRobinAssigner` computes, line by line.
fn kafkajs(members: &[Member], topics: &[(String, i32)]) -> Vec<(String, String, i32)> {
    let mut sorted: Vec<&str> = members.iter().map(|member| member.id.as_str()).collect();
    sorted.sort_unstable();
    let topics_partitions = topics.iter().flat_map(|(t, count)| (0..*count).map(move |p| (t.clone(), p)));
    topics_partitions
        .enumerate()
        .map(|(i, (topic, partition))| (sorted[i % sorted.len()].to_owned(), topic, partition))
        .collect()
}

#[test]
fn goes_on_round_the_members_over_the_end_of_a_topic() {
    let members = [member("b", "", &["t", "u"]), member("a", "", &["t", "u"])];
    let assignments = assign_round_robin(&members, &topics(&[("t", 3), ("u", 3)]));
    assert_eq!(partitions(&assignments[1], "t"), [0, 2]);
    assert_eq!(partitions(&assignments[0], "t"), [1]);
    assert_eq!(partitions(&assignments[0], "u"), [0, 2]);
    assert_eq!(partitions(&assignments[1], "u"), [1]);
}

#[test]
fn passes_over_members_that_do_not_subscribe() {
    let members = [member("a", "", &["t"]), member("b", "", &["t"]), member("c", "", &["u"])];
    let assignments = assign_round_robin(&members, &topics(&[("t", 4), ("u", 2)]));
    assert_eq!(partitions(&assignments[0], "t"), [0, 2]);
    assert_eq!(partitions(&assignments[1], "t"), [1, 3]);
    assert_eq!(partitions(&assignments[2], "u"), [0, 1]);
}

#[test]
fn assigns_nothing_to_nobody() {
    assert!(assign_round_robin(&[], &topics(&[("t", 3)])).is_empty());
    let nobody = [member("a", "", &[])];
    assert_eq!(assign_round_robin(&nobody, &topics(&[("t", 3)]))[0].len(), 0);
}

#[test]
fn announces_itself_as_kafkajs_does() {
    assert_eq!(RoundRobinAssigner.protocol_name(), "RoundRobinAssigner");
    assert!(RoundRobinAssigner.user_data().is_empty());
}

proptest! {
    #[test]
    fn equals_kafkajs_when_all_subscribe_alike(
        ids in prop::collection::hash_set("[a-z]{1,4}", 1..12),
        counts in prop::collection::vec(0..20_i32, 1..5),
    ) {
        let topics: Vec<(String, i32)> =
            counts.iter().enumerate().map(|(i, &count)| (format!("t{i}"), count)).collect();
        let names: Vec<&str> = topics.iter().map(|(name, _)| name.as_str()).collect();
        let members: Vec<Member> = ids.iter().map(|id| member(id, "", &names)).collect();

        let assignments = assign_round_robin(&members, &topics);
        assert_complete(&members, &topics, &assignments);
        for (id, topic, partition) in kafkajs(&members, &topics) {
            let owner = members.iter().position(|member| member.id == id).unwrap();
            prop_assert!(partitions(&assignments[owner], &topic).contains(&partition));
        }
    }

    #[test]
    fn loses_nothing_whoever_subscribes_to_what(
        subscriptions in prop::collection::vec(prop::collection::vec(0..5_u8, 0..5), 0..12),
        counts in prop::collection::vec(-1..20_i32, 0..5),
    ) {
        let topics: Vec<(String, i32)> =
            counts.iter().enumerate().map(|(i, &count)| (format!("t{i}"), count)).collect();
        let members: Vec<Member> = subscriptions
            .iter()
            .enumerate()
            .map(|(i, topics)| Member {
                id: format!("m{i}"),
                user_data: Vec::new(),
                topics: topics.iter().map(|topic| format!("t{topic}")).collect(),
            })
            .collect();
        assert_complete(&members, &topics, &assign_round_robin(&members, &topics));
    }
}
