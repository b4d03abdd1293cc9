//! Having a chunk of records queued before any of it is sent.

use std::sync::Arc;

use crate::kafka::ProducerTopic;

/// The topics of the chunk that is being queued. What is queued for them is sent when this is dropped, or
/// [`HeldTopics::release`] is called.
pub struct HeldTopics<T: ProducerTopic> {
    /// And whether they could be held.
    topics: Vec<(Arc<T>, bool)>,
}

impl<T: ProducerTopic> Default for HeldTopics<T> {
    fn default() -> Self {
        Self { topics: Vec::new() }
    }
}

impl<T: ProducerTopic> HeldTopics<T> {
    /// The topic's next records wake nobody. Costs little more than a look when it is held already.
    pub fn hold(&mut self, topic: &Arc<T>) {
        if self.topics.iter().any(|(held, _)| Arc::ptr_eq(held, topic)) {
            return;
        }
        let held = topic.hold();
        self.topics.push((Arc::clone(topic), held));
    }

    /// What is queued is sent.
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
