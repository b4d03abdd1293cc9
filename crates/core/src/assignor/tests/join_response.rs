use proptest::prelude::*;

use crate::assignor::join_response::{read, repair};

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as i16).to_be_bytes()[..], text.as_bytes()].concat()
}

fn bytes(data: &[u8]) -> Vec<u8> {
    [&(data.len() as i32).to_be_bytes()[..], data].concat()
}

/// Member metadata as KafkaJS writes it, whatever the version: it ends after the user data.
fn kafkajs_metadata(version: i16, topics: &[&str], user_data: &[u8]) -> Vec<u8> {
    let mut metadata = version.to_be_bytes().to_vec();
    metadata.extend((topics.len() as i32).to_be_bytes());
    for topic in topics {
        metadata.extend(string(topic));
    }
    metadata.extend(bytes(user_data));
    metadata
}

/// Metadata of version 1 with an empty array of owned partitions.
fn complete_metadata() -> Vec<u8> {
    [kafkajs_metadata(1, &["t"], b"{}"), 0_i32.to_be_bytes().to_vec()].concat()
}

fn response(version: i16, error: i16, members: &[Vec<u8>]) -> Vec<u8> {
    let mut payload = if version >= 2 { 0_i32.to_be_bytes().to_vec() } else { Vec::new() };
    payload.extend(error.to_be_bytes());
    payload.extend(7_i32.to_be_bytes());
    for text in ["NestReplyPartitionAssigner", "leader", "leader"] {
        payload.extend(string(text));
    }
    payload.extend((members.len() as i32).to_be_bytes());
    for metadata in members {
        payload.extend(string("some-member"));
        if version >= 5 {
            payload.extend((-1_i16).to_be_bytes());
        }
        payload.extend(bytes(metadata));
    }
    payload
}

#[test]
fn makes_truncated_metadata_version_0_and_changes_nothing_else() {
    for version in 0..=5 {
        let truncated = kafkajs_metadata(1, &["a.reply", "b.reply"], br#"{"previousAssignment":{}}"#);
        let version_0 = kafkajs_metadata(0, &["a.reply", "b.reply"], br#"{"previousAssignment":{}}"#);
        let stock_server = kafkajs_metadata(0, &["a"], b"");
        let mut payload =
            response(version, 0, &[truncated.clone(), complete_metadata(), stock_server.clone(), truncated]);
        assert_eq!(repair(&mut payload, version), 2);
        let expected =
            response(version, 0, &[version_0.clone(), complete_metadata(), stock_server, version_0]);
        assert_eq!(payload, expected);
        assert_eq!(repair(&mut payload, version), 0, "it is repaired already");
    }
}

#[test]
fn tells_who_is_in_the_group() {
    for version in 0..=5 {
        let metadata = [kafkajs_metadata(1, &["a"], b"{}"), complete_metadata()];
        let payload = response(version, 0, &metadata);
        let join = read(&payload, version).unwrap();
        assert_eq!((join.generation, join.protocol.as_str()), (7, "NestReplyPartitionAssigner"));
        assert_eq!((join.leader.as_str(), join.member.as_str()), ("leader", "leader"));
        let members: Vec<_> = join.members.iter().map(|m| (m.id.as_str(), &m.metadata)).collect();
        assert_eq!(members, [("some-member", &metadata[0]), ("some-member", &metadata[1])]);
        assert_eq!(read(&response(version, 27, &metadata), version), None, "an error");
        assert_eq!(read(&payload[..payload.len() - 1], version), None, "cut off");
    }
    assert_eq!(read(&response(5, 0, &[]), 6), None, "a version that is not known");
}

#[test]
fn leaves_errors_followers_and_unknown_versions_alone() {
    let truncated = kafkajs_metadata(1, &["t"], b"{}");
    for (version, error, members) in
        [(5, 27, vec![truncated.clone()]), (5, 0, vec![]), (6, 0, vec![truncated])]
    {
        let mut payload = response(version, error, &members);
        let untouched = payload.clone();
        assert_eq!(repair(&mut payload, version), 0);
        assert_eq!(payload, untouched);
    }
}

proptest! {
    #[test]
    fn survives_any_bytes(mut payload in prop::collection::vec(any::<u8>(), 0..300), version in -1..8_i16) {
        let _ = read(&payload, version);
        repair(&mut payload, version);
    }

    #[test]
    fn survives_any_cut_and_any_changed_byte(cut in 0..200_usize, at in 0..200_usize, byte: u8) {
        let truncated = kafkajs_metadata(1, &["t"], b"{}");
        let mut payload = response(5, 0, &[truncated.clone(), truncated]);
        payload.truncate(payload.len().saturating_sub(cut));
        if let Some(changed) = payload.get_mut(at) {
            *changed = byte;
        }
        let length = payload.len();
        let _ = read(&payload, 5);
        repair(&mut payload, 5);
        prop_assert_eq!(payload.len(), length);
    }
}
