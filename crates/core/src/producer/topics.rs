//! The topics that a producer writes to, by the number that packed records name.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use super::Shared;
use crate::error::{CODE_INVALID_ARG, Error, Result};
use crate::kafka::ProducerClient;

/// A topic and its name.
type NamedTopic<T> = (Arc<T>, Arc<[u8]>);

/// Topics by number.
pub(super) struct Topics<T> {
    numbers: HashMap<String, u32>,
    list: Vec<NamedTopic<T>>,
}

impl<T> Default for Topics<T> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), list: Vec::new() }
    }
}

impl<P: ProducerClient> Shared<P> {
    /// The number of a topic; its first use decides its compression.
    pub(super) fn topic_number(&self, name: &str, codec: Option<&str>) -> Result<u32> {
        let known = |topics: &Topics<P::Topic>| topics.numbers.get(name).copied();
        if let Some(number) = known(&self.topics.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(number);
        }
        let topic = Arc::new(self.client.topic(name, codec)?);
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = known(&topics) {
            return Ok(number);
        }
        let number = topics.list.len() as u32;
        topics.list.push((topic, name.as_bytes().into()));
        topics.numbers.insert(name.to_owned(), number);
        Ok(number)
    }

    /// A topic and its name.
    pub(super) fn topic_at(&self, number: u32) -> Result<NamedTopic<P::Topic>> {
        let topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        topics.list.get(number as usize).cloned().ok_or_else(|| unknown_topic(number))
    }
}

fn unknown_topic(number: u32) -> Error {
    Error::new("produce", CODE_INVALID_ARG, format!("there is no topic number {number}"))
}
