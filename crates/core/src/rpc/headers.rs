//! The names of NestJS's Kafka headers (`KafkaHeaders` in @nestjs/microservices).

/// Identifies the request that a reply belongs to.
pub const CORRELATION_ID: &[u8] = b"kafka_correlationId";
/// Topic that replies go to.
pub const REPLY_TOPIC: &[u8] = b"kafka_replyTopic";
/// Partition that replies go to, as decimal text.
pub const REPLY_PARTITION: &[u8] = b"kafka_replyPartition";
/// The reply is an error; the value is its text or JSON.
pub const NEST_ERR: &[u8] = b"kafka_nest-err";
/// The reply is the last one; the value is one zero byte.
pub const NEST_IS_DISPOSED: &[u8] = b"kafka_nest-is-disposed";
/// The value that NestJS writes for [`NEST_IS_DISPOSED`].
pub const DISPOSED_VALUE: &[u8] = &[0];
