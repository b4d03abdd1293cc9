//! Queues a chunk of records before any of it is sent, so that they share requests.

use std::sync::Arc;

use crate::kafka::ProducerTopic;

/// The topics of the chunk that is being queued. Their records are sent when this is dropped, or when
/// [`HeldTopics::release`] is called.
pub struct HeldTopics<T: ProducerTopic> {
    /// The topics, and whether each could be held.
    topics: Vec<(Arc<T>, bool)>,
}

impl<T: ProducerTopic> Default for HeldTopics<T> {
    fn default() -> Self {
        Self { topics: Vec::new() }
    }
}

impl<T: ProducerTopic> HeldTopics<T> {
    /// Holds a topic's next records back. Cheap if it is held already.
    pub fn hold(&mut self, topic: &Arc<T>) {
        if self.topics.iter().any(|(held, _)| Arc::ptr_eq(held, topic)) {
            return;
        }
        let held = topic.hold();
        self.topics.push((Arc::clone(topic), held));
    }

    /// Lets the queued records be sent.
    pub fn release(&mut self) {
        for (topic, held) in self.topics.drain(..) {
            if held {
                topic.release();
            }
        }
    }
}

impl<T: ProducerTopic> Drop for HeldTopics<T> {
    fn drop(&mut self) {
        self.release();
    }
}
