mod join_response;
mod reply_partition;
mod round_robin;

use super::{Assignment, Member};

fn member(id: &str, user_data: &str, topics: &[&str]) -> Member {
    Member {
        id: id.to_owned(),
        user_data: user_data.as_bytes().to_vec(),
        topics: topics.iter().map(ToString::to_string).collect(),
    }
}

fn topics(topics: &[(&str, i32)]) -> Vec<(String, i32)> {
    topics.iter().map(|&(name, partitions)| (name.to_owned(), partitions)).collect()
}

fn partitions<'a>(assignment: &'a Assignment, topic: &str) -> &'a [i32] {
    assignment.get(topic).map_or(&[], Vec::as_slice)
}

/// Asserts that each partition of each topic with a subscriber went to one of its subscribers, exactly once,
/// and that nothing else was assigned.
fn assert_complete(members: &[Member], topics: &[(String, i32)], assignments: &[Assignment]) {
    assert_eq!(assignments.len(), members.len());
    let mut assigned: Vec<(&str, i32)> = Vec::new();
    for (member, assignment) in members.iter().zip(assignments) {
        for (topic, partitions) in assignment {
            assert!(member.topics.contains(topic), "{} does not subscribe to {topic}", member.id);
            assigned.extend(partitions.iter().map(|&partition| (topic.as_str(), partition)));
        }
    }
    assigned.sort_unstable();

    let subscribed: std::collections::HashSet<&str> =
        members.iter().flat_map(|member| member.topics.iter().map(String::as_str)).collect();
    let mut expected: Vec<(&str, i32)> = topics
        .iter()
        .filter(|(topic, _)| subscribed.contains(topic.as_str()))
        .flat_map(|(topic, partitions)| (0..*partitions).map(move |partition| (topic.as_str(), partition)))
        .collect();
    expected.sort_unstable();
    assert_eq!(assigned, expected);
}
