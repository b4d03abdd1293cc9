//! A client without a broker, for tests.

use std::sync::OnceLock;

use super::{Client, Connection, Group, Metadata, Outcome, Scope, TopicPartition};
use crate::error::Result;

/// Has no metadata.
#[derive(Default)]
pub(crate) struct Unconnected {
    connection: Connection,
    /// Where all logs begin and end; unless set, the answers name no offset.
    pub(crate) log: OnceLock<i64>,
}

impl Client for Unconnected {
    fn describe(code: i32) -> String {
        format!("error {code}")
    }
    fn connection(&self) -> &Connection {
        &self.connection
    }
    fn metadata(&self, _: Scope<'_>, _: i32) -> Result<Metadata> {
        Ok(Metadata::default())
    }
    fn cluster_id(&self, _: i32) -> Option<String> {
        None
    }
    fn resolve_offsets(&self, asked: &[TopicPartition], _: i32) -> Result<Vec<TopicPartition>> {
        let resolved = |&offset| asked.iter().map(|p| TopicPartition { offset, ..p.clone() }).collect();
        Ok(self.log.get().map_or_else(Vec::new, resolved))
    }
    fn describe_group(&self, group: &str, _: i32) -> Result<Group> {
        Ok(Group::dead(group))
    }
    fn create_topics(&self, _: &[String], _: i32) -> Result<Vec<Outcome>> {
        Ok(Vec::new())
    }
}
