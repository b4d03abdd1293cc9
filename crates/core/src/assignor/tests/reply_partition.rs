use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use super::{assert_complete, member, partitions, topics};
use crate::assignor::{
    Assignment, Assignor, Member, NestReplyPartitionAssigner, StartTime, assign_reply_partitions,
};

fn start(seconds: u64, nanoseconds: u32) -> StartTime {
    StartTime { seconds, nanoseconds }
}

fn assigner(seconds: u64) -> NestReplyPartitionAssigner {
    NestReplyPartitionAssigner::new(start(seconds, 0))
}

fn user_data(previous: &Value, time: &Value) -> String {
    json!({ "previousAssignment": previous, "time": time }).to_string()
}

fn owned(topic: &str, partitions: &[i32]) -> Assignment {
    Assignment::from([(topic.to_owned(), partitions.to_vec())])
}

mod algorithm {
    use super::*;

    #[test]
    fn ranks_by_start_and_then_by_id() {
        let members = [
            member("a", &user_data(&json!({}), &json!([5, 1])), &["t"]),
            member("c", &user_data(&json!({}), &json!([5, 0])), &["t"]),
            member("b", &user_data(&json!({}), &json!([5, 0])), &["t"]),
        ];
        let assignments = assign_reply_partitions(&members, &topics(&[("t", 4)]));
        assert_eq!(partitions(&assignments[2], "t"), [0, 3]);
        assert_eq!(partitions(&assignments[1], "t"), [1]);
        assert_eq!(partitions(&assignments[0], "t"), [2]);
    }

    #[test]
    fn ranks_members_without_a_time_first() {
        let members = [
            member("a", &user_data(&json!({}), &json!([0, 0])), &["t"]),
            member("z", r#"{"previousAssignment":{}}"#, &["t"]),
            member("y", &user_data(&json!({}), &json!([1, 1_000_000_000])), &["t"]),
            member("x", &user_data(&json!({}), &json!([-1, 0.5])), &["t"]),
        ];
        let assignments = assign_reply_partitions(&members, &topics(&[("t", 4)]));
        let of = |i: usize| partitions(&assignments[i], "t").to_vec();
        assert_eq!([of(3), of(2), of(1), of(0)], [[0], [1], [2], [3]]);
    }

    #[test]
    fn keeps_what_was_had_and_gives_the_first_free_one_to_the_rest() {
        let members = [
            member("late", &user_data(&json!({}), &json!([9, 0])), &["t"]),
            member("old", &user_data(&json!({"t": 2}), &json!([1, 0])), &["t"]),
            member("new", &user_data(&json!({}), &json!([5, 0])), &["t"]),
        ];
        let assignments = assign_reply_partitions(&members, &topics(&[("t", 5)]));
        assert_eq!(partitions(&assignments[1], "t"), [2, 3]);
        assert_eq!(partitions(&assignments[2], "t"), [0, 4]);
        assert_eq!(partitions(&assignments[0], "t"), [1]);
    }

    #[test]
    fn deals_a_stock_client_nothing_below_its_reply_partition() {
        const WALL_CLOCK: u64 = 1_700_000_000;
        for stock in
            [r#"{"previousAssignment":{"t":3}}"#, r#"{"previousAssignment":{"t":3},"time":[4000,1]}"#]
        {
            let native = user_data(&json!({"t": 1}), &json!([WALL_CLOCK, 0]));
            let members = [member("stock", stock, &["t"]), member("native", &native, &["t"])];
            let assignments = assign_reply_partitions(&members, &topics(&[("t", 5)]));
            assert_eq!(partitions(&assignments[0], "t"), [3, 4]);
            assert_eq!(partitions(&assignments[1], "t"), [1, 0, 2]);
            // The only member gets a partition all the same: otherwise nobody would read it.
            let alone = assign_reply_partitions(&members[..1], &topics(&[("t", 5)]));
            assert_eq!(partitions(&alone[0], "t"), [3, 0, 1, 2, 4]);
        }
    }

    #[test]
    fn lets_the_first_started_of_two_claimants_keep_the_partition() {
        let members = [
            member("a", &user_data(&json!({"t": 1}), &json!([2, 0])), &["t"]),
            member("b", &user_data(&json!({"t": 1}), &json!([1, 0])), &["t"]),
        ];
        let assignments = assign_reply_partitions(&members, &topics(&[("t", 2)]));
        assert_eq!(partitions(&assignments[1], "t"), [1]);
        assert_eq!(partitions(&assignments[0], "t"), [0]);
    }

    #[test]
    fn leaves_the_last_started_ones_without_when_there_are_too_few() {
        let members = [
            member("a", &user_data(&json!({}), &json!([3, 0])), &["t"]),
            member("b", &user_data(&json!({"t": 0}), &json!([4, 0])), &["t"]),
            member("c", &user_data(&json!({}), &json!([2, 0])), &["t"]),
        ];
        let assignments = assign_reply_partitions(&members, &topics(&[("t", 2)]));
        assert!(assignments[0].is_empty());
        assert_eq!(partitions(&assignments[1], "t"), [0]);
        assert_eq!(partitions(&assignments[2], "t"), [1]);
    }

    #[test]
    fn gives_a_topic_to_its_subscribers_only() {
        let members = [
            member("a", &user_data(&json!({"u": 0}), &json!([1, 0])), &["t"]),
            member("b", &user_data(&json!({}), &json!([2, 0])), &["u", "u"]),
        ];
        let topics = topics(&[("t", 2), ("u", 3), ("unwanted", 4)]);
        let assignments = assign_reply_partitions(&members, &topics);
        assert_complete(&members, &topics, &assignments);
    }

    /// Takes minutes if the algorithm scans lists instead of using sets.
    #[test]
    fn assigns_for_ten_thousand_members_within_a_second() {
        let members: Vec<Member> = (0..10_000)
            .map(|i| {
                // Every other member claims a partition; some are claimed twice, some do not exist.
                let previous = if i % 2 == 0 { json!({"t": i / 3 * 2, "u": i}) } else { json!({}) };
                member(&format!("m{i}"), &user_data(&previous, &json!([i % 100, 0])), &["t", "u", "v"])
            })
            .collect();
        let topics = topics(&[("t", 10_000), ("u", 12_000), ("v", 5)]);
        let begin = Instant::now();
        let assignments = assign_reply_partitions(&members, &topics);
        let elapsed = begin.elapsed();
        assert_complete(&members, &topics, &assignments);
        assert!(elapsed < Duration::from_secs(1), "{elapsed:?}");
    }
}

mod memory {
    use super::*;

    #[test]
    fn announces_an_object_and_the_time_from_the_start() {
        let assigner = NestReplyPartitionAssigner::new(start(12, 34));
        assert_eq!(assigner.protocol_name(), "NestReplyPartitionAssigner");
        assert_eq!(assigner.user_data(), br#"{"previousAssignment":{},"time":[12,34]}"#);
        assigner.on_assignment(&owned("t", &[3]));
        assert_eq!(assigner.user_data(), br#"{"previousAssignment":{"t":3},"time":[12,34]}"#);
    }

    #[test]
    fn begins_with_the_lowest_and_stays_while_it_is_owned() {
        let assigner = assigner(1);
        assert_eq!(assigner.reply_partition("t"), None);
        assigner.on_assignment(&owned("t", &[2, 1, 4]));
        assert_eq!(assigner.reply_partition("t"), Some(1));
        assigner.on_assignment(&owned("t", &[0, 1]));
        assert_eq!(assigner.reply_partition("t"), Some(1));
        assigner.on_assignment(&owned("t", &[3, 2]));
        assert_eq!(assigner.reply_partition("t"), Some(2));
        assigner.on_assignment(&owned("t", &[]));
        assert_eq!(assigner.reply_partitions(), BTreeMap::new());
        assigner.on_assignment(&owned("t", &[5]));
        assigner.on_assignment(&owned("u", &[0]));
        assert_eq!(assigner.reply_partitions(), BTreeMap::from([("u".to_owned(), 0)]));
    }

    #[test]
    fn computes_the_start_from_two_clocks() {
        let at =
            |now, uptime| StartTime::from_clocks(Duration::from_millis(now), Duration::from_millis(uptime));
        assert_eq!(at(1_700_000_000_250, 500), start(1_699_999_999, 750_000_000));
        assert_eq!(at(100, 500), start(0, 0));
        // An hour up and a minute up, on hosts whose monotonic clocks began at different times.
        assert!(at(1_700_000_000_000, 3_600_000) < at(1_700_000_000_000, 60_000));
    }
}

/// Anything a member may send: our own user data, stock's, parts of either that are wrong, and no JSON at all.
fn any_user_data() -> impl Strategy<Value = Vec<u8>> {
    let partition = prop_oneof![
        4 => (0..6_i64).prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => prop_oneof![Just(Value::Null), Just(json!("0")), Just(json!([0])), Just(json!({"t0": 0}))],
    ];
    let previous = prop_oneof![
        4 => prop::collection::hash_map("t[0-3]", partition, 0..4).prop_map(|map| json!(map)),
        1 => prop_oneof![Just(Value::Null), Just(json!([0, 1])), Just(json!("t0")), Just(json!(7))],
    ];
    let time = prop_oneof![
        3 => (0..4_u64, 0..4_u32).prop_map(|(s, ns)| json!([s, ns])),
        1 => (any::<i64>(), any::<i64>(), any::<i64>()).prop_map(|(a, b, c)| json!([a, b, c])),
        1 => (any::<u64>(), any::<u64>()).prop_map(|(s, ns)| json!([s, ns])),
        1 => prop_oneof![Just(Value::Null), Just(json!([])), Just(json!("now")), Just(json!([1.5, 2]))],
    ];
    prop_oneof![
        6 => (previous.clone(), time).prop_map(|(p, t)| user_data(&p, &t).into_bytes()),
        2 => previous.prop_map(|p| json!({"previousAssignment": p}).to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => Just(vec![b'['; 100_000]),
        1 => Just(br#"{"previousAssignment":{"t0":1,"t0":2},"time":[1,1],"time":[2,2]}"#.to_vec()),
    ]
}

prop_compose! {
    fn any_group()(
        data in prop::collection::vec((any_user_data(), prop::collection::vec(0..4_u8, 0..5)), 0..10),
        counts in prop::collection::vec(-2..8_i32, 0..4),
    ) -> (Vec<Member>, Vec<(String, i32)>) {
        let members = data.into_iter().enumerate().map(|(i, (user_data, topics))| Member {
            id: format!("m{i}"),
            user_data,
            topics: topics.iter().map(|topic| format!("t{topic}")).collect(),
        });
        let topics = counts.iter().enumerate().map(|(i, &count)| (format!("t{i}"), count));
        (members.collect(), topics.collect())
    }
}

/// Members by id, their assigners, and a step of the group's life: all of them join and receive an assignment.
fn rebalance(group: &BTreeMap<String, NestReplyPartitionAssigner>, topics: &[(String, i32)], leader: Index) {
    let names: Vec<String> = topics.iter().map(|(name, _)| name.clone()).collect();
    let members: Vec<Member> = group
        .iter()
        .map(|(id, assigner)| Member {
            id: id.clone(),
            user_data: assigner.user_data(),
            topics: names.clone(),
        })
        .collect();
    if members.is_empty() {
        return;
    }
    let leader = &members[leader.index(members.len())].id;
    let assignments = group[leader].assign(leader, &members, topics).unwrap();
    assert_complete(&members, topics, &assignments);
    for (member, assignment) in members.iter().zip(&assignments) {
        group[&member.id].on_assignment(assignment);
    }
}

proptest! {
    #[test]
    fn loses_no_partition_whatever_the_members_send((members, topics) in any_group()) {
        assert_complete(&members, &topics, &assign_reply_partitions(&members, &topics));
    }

    #[test]
    fn does_not_depend_on_the_order_of_the_members(
        ((members, topics), shuffled) in any_group().prop_flat_map(|(members, topics)| {
            (Just((members.clone(), topics)), Just(members).prop_shuffle())
        })
    ) {
        let by_id = |members: &[Member]| -> HashMap<String, Assignment> {
            let assignments = assign_reply_partitions(members, &topics);
            members.iter().map(|member| member.id.clone()).zip(assignments).collect()
        };
        prop_assert_eq!(by_id(&members), by_id(&shuffled));
    }

    #[test]
    fn lets_a_sole_claimant_keep_its_partition((members, topics) in any_group()) {
        let assignments = assign_reply_partitions(&members, &topics);
        for (topic, count) in &topics {
            let claims: Vec<(usize, i64)> = members
                .iter()
                .enumerate()
                .filter(|(_, member)| member.topics.contains(topic))
                .filter_map(|(i, member)| {
                    let data: Value = serde_json::from_slice(&member.user_data).ok()?;
                    Some((i, data["previousAssignment"][topic].as_i64()?))
                })
                .filter(|&(_, partition)| partition >= 0 && partition < i64::from(*count))
                .collect();
            for &(i, partition) in &claims {
                if claims.iter().filter(|claim| claim.1 == partition).count() == 1 {
                    prop_assert!(partitions(&assignments[i], topic).contains(&(partition as i32)));
                }
            }
        }
    }

    /// Clients join, leave and restart (leave, then join with a new start time), under any leader. Every client has
    /// one reply partition per topic as long as there are enough, and those of the other clients never move.
    #[test]
    fn moves_nobody_elses_reply_partition_in_a_groups_life(
        steps in prop::collection::vec((any::<bool>(), any::<Index>(), any::<Index>(), 0..5_u64), 1..30),
        counts in prop::collection::vec(1..8_i32, 1..3),
    ) {
        let topics: Vec<(String, i32)> =
            counts.iter().enumerate().map(|(i, &count)| (format!("t{i}"), count)).collect();
        let mut group: BTreeMap<String, NestReplyPartitionAssigner> = BTreeMap::new();
        for (step, (joins, who, leader, seconds)) in steps.into_iter().enumerate() {
            if joins || group.is_empty() {
                // Ids in random order.
                group.insert(format!("{:x}-{step}", who.index(16)), assigner(seconds));
            } else {
                let id = group.keys().nth(who.index(group.len())).unwrap().clone();
                group.remove(&id);
            }
            let before: Vec<_> = group.values().map(NestReplyPartitionAssigner::reply_partitions).collect();
            rebalance(&group, &topics, leader);

            for (before, assigner) in before.iter().zip(group.values()) {
                let after = assigner.reply_partitions();
                for (topic, partition) in before {
                    prop_assert_eq!(after.get(topic), Some(partition));
                }
            }
            for (topic, count) in &topics {
                let having = group.values().filter(|assigner| assigner.reply_partition(topic).is_some()).count();
                prop_assert_eq!(having, group.len().min(*count as usize));
            }
        }
    }
}
