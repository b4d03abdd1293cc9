//! Which topics exist, and creating those that are missing.
//!
//! kafkajs creates a missing topic by asking for its metadata; a librdkafka consumer never does. So topics
//! are created here before they are subscribed to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::blocking;
use crate::error::{
    CODE_AUTHENTICATION, CODE_LEADER_NOT_AVAILABLE, CODE_TIMED_OUT, CODE_TOPIC_ALREADY_EXISTS,
    CODE_TOPIC_AUTHORIZATION_FAILED, CODE_UNKNOWN_TOPIC, Error, Result,
};
use crate::kafka::{Client, Metadata, Outcome, PartitionMetadata, Scope, TopicPartition};

/// Pause between two looks at a topic whose leaders are being elected.
const ELECTION_PAUSE: Duration = Duration::from_millis(25);

/// How long the first look for a broker may take.
const FIRST_PATIENCE: Duration = Duration::from_secs(1);

/// What became of the topics asked for.
#[derive(Debug, Default)]
pub struct Ensured {
    /// Topics that do not exist and were not created, each with the reason.
    pub missing: Vec<(String, String)>,
    /// Topics that were created.
    pub created: Vec<String>,
    /// Topics that exist already, each with the number of its partitions.
    pub existing: Vec<(String, usize)>,
}

/// Asks for metadata without blocking the runtime.
pub async fn metadata<C: Client>(
    client: Arc<C>,
    topic: Option<String>,
    timeout: Duration,
) -> Result<Metadata> {
    blocking(client, "fetch metadata", Instant::now() + timeout, move |client, left_ms| {
        let scope = topic.as_deref().map_or(Scope::Everything, Scope::Topic);
        client.metadata(scope, left_ms)
    })
    .await
}

/// The offsets of timestamps, or of the beginning or the end, of partitions.
pub async fn offsets<C: Client>(
    client: Arc<C>,
    partitions: Vec<TopicPartition>,
    timeout: Duration,
) -> Result<Vec<TopicPartition>> {
    const OPERATION: &str = "list offsets";
    let resolve = move |client: &Arc<C>, left_ms| client.resolve_offsets(&partitions, left_ms);
    let found = blocking(client, OPERATION, Instant::now() + timeout, resolve).await?;
    match found.iter().find(|p| p.error != 0) {
        Some(failed) => Err(Error::new(OPERATION, failed.error, C::describe(failed.error))),
        None => Ok(found),
    }
}

/// Whether any broker answers. Refused credentials are an error at once. A request that is under way blocks the client's end: so
/// it gets a second first, and each further one twice as long, for brokers that are slow to answer.
pub async fn ping<C: Client>(client: Arc<C>, timeout: Duration) -> Result<()> {
    const OPERATION: &str = "connect";
    let deadline = Instant::now() + timeout;
    let mut patience = FIRST_PATIENCE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let asked = Arc::clone(&client);
        let given_up = Instant::now() + left.min(patience);
        let look = |client: &Arc<C>, left_ms| client.metadata(Scope::Brokers, left_ms).map(drop);
        let answered = tokio::select! {
            answered = blocking(asked, OPERATION, given_up, look) => answered,
            reason = client.connection().refused() => return Err(Error::new(OPERATION, CODE_AUTHENTICATION, reason)),
        };
        let connection = client.connection();
        if answered.is_ok() {
            connection.note_answer();
            return Ok(());
        }
        if left <= patience || Instant::now() < given_up {
            // Without an answer, what was refused last says more than a time-out.
            return match connection.refusal() {
                Some(reason) => Err(Error::new(OPERATION, CODE_AUTHENTICATION, reason)),
                None => answered,
            };
        }
        patience *= 2;
    }
}

/// Makes sure that topics exist and have leaders, creating missing ones if `create` says so. A topic that this client may
/// not know of is an error: nothing tells whether it exists.
pub async fn ensure<C: Client>(
    client: Arc<C>,
    topics: Vec<String>,
    create: bool,
    timeout: Duration,
) -> Result<Ensured> {
    let deadline = Instant::now() + timeout;
    let mut ensured = Ensured::default();
    let mut absent = Vec::new();
    for topic in &topics {
        let left = deadline.saturating_duration_since(Instant::now());
        let metadata = metadata(Arc::clone(&client), Some(topic.clone()), left).await?;
        if metadata.topics.iter().any(|found| found.error == CODE_TOPIC_AUTHORIZATION_FAILED) {
            return Err(Error::new(
                "subscribe",
                CODE_TOPIC_AUTHORIZATION_FAILED,
                format!("the broker does not let this client know of topic {topic}"),
            ));
        }
        let partitions = metadata.topics.iter().filter(|t| t.error == 0).map(|t| t.partitions.len()).sum();
        if partitions == 0 {
            absent.push(topic.clone());
        } else {
            ensured.existing.push((topic.clone(), partitions));
        }
    }
    if absent.is_empty() {
        return Ok(ensured);
    }
    if !create {
        let reason = || "it does not exist, and allowAutoTopicCreation is false".to_owned();
        ensured.missing = absent.into_iter().map(|topic| (topic, reason())).collect();
        return Ok(ensured);
    }
    let outcomes = {
        let (client, absent) = (Arc::clone(&client), absent.clone());
        let create = move |client: &Arc<C>, left_ms| client.create_topics(&absent, left_ms);
        blocking(client, "create topics", deadline, create).await?
    };
    for topic in absent {
        let failure =
            outcomes.iter().find(|o| o.name == topic && o.error != 0 && o.error != CODE_TOPIC_ALREADY_EXISTS);
        if let Some(Outcome { message, .. }) = failure {
            ensured.missing.push((topic, format!("creating it failed: {message}")));
        } else {
            await_leaders(&client, &topic, deadline).await?;
            ensured.created.push(topic);
        }
    }
    Ok(ensured)
}

/// A topic's partitions, once all of them have leaders. Asking for them creates the topic where both the handle
/// and the broker allow it; `create` says whether to wait for that.
pub async fn partitions<C: Client>(
    client: Arc<C>,
    topic: String,
    create: bool,
    timeout: Duration,
) -> Result<Vec<PartitionMetadata>> {
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now()).max(ELECTION_PAUSE);
        let metadata = metadata(Arc::clone(&client), Some(topic.clone()), left).await?;
        let late = deadline <= Instant::now();
        if let Some(found) = metadata.topics.into_iter().next() {
            if found.error == 0 && (found.has_leaders() || (late && !found.partitions.is_empty())) {
                return Ok(found.partitions);
            }
            let waits = match found.error {
                0 | CODE_LEADER_NOT_AVAILABLE => true,
                CODE_UNKNOWN_TOPIC => create,
                _ => false,
            };
            if !waits || (late && found.error != 0) {
                return Err(Error::new("choose a partition", found.error, C::describe(found.error)));
            }
        }
        if late {
            let text = format!("topic {topic} has no partitions in time");
            return Err(Error::new("choose a partition", CODE_TIMED_OUT, text));
        }
        tokio::time::sleep(ELECTION_PAUSE).await;
    }
}

/// The broker answers a creation before the partitions have leaders.
async fn await_leaders<C: Client>(client: &Arc<C>, topic: &str, deadline: Instant) -> Result<()> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let text = format!("topic {topic} was created, but has no leaders in time");
            return Err(Error::new("create topics", CODE_TIMED_OUT, text));
        }
        let metadata = metadata(Arc::clone(client), Some(topic.to_owned()), left).await?;
        if metadata.topics.iter().all(|t| t.error == 0 && t.has_leaders()) {
            return Ok(());
        }
        tokio::time::sleep(ELECTION_PAUSE).await;
    }
}
