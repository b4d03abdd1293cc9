//! A client without a broker, for tests.

use super::{Client, Connection, Group, Metadata, Outcome, Scope, TopicPartition};
use crate::error::Result;

/// Has no metadata.
#[derive(Default)]
pub(crate) struct Unconnected(Connection);

impl Client for Unconnected {
    fn describe(code: i32) -> String {
        format!("error {code}")
    }
    fn connection(&self) -> &Connection {
        &self.0
    }
    fn metadata(&self, _: Scope<'_>, _: i32) -> Result<Metadata> {
        Ok(Metadata::default())
    }
    fn cluster_id(&self, _: i32) -> Option<String> {
        None
    }
    fn resolve_offsets(&self, _: &[TopicPartition], _: i32) -> Result<Vec<TopicPartition>> {
        Ok(Vec::new())
    }
    fn describe_group(&self, group: &str, _: i32) -> Result<Group> {
        Ok(Group::dead(group))
    }
    fn create_topics(&self, _: &[String], _: i32) -> Result<Vec<Outcome>> {
        Ok(Vec::new())
    }
}
