import type { Attributes } from '@opentelemetry/api';

// OpenTelemetry's conventions for messaging, in the version that @opentelemetry/instrumentation-kafkajs writes; those
// for Kafka are not stable yet, so the names are written here instead of being imported.

/** Names of attributes. */
export const ATTRIBUTES = {
  system: 'messaging.system',
  destination: 'messaging.destination.name',
  partition: 'messaging.destination.partition.id',
  operation: 'messaging.operation.name',
  operationType: 'messaging.operation.type',
  conversation: 'messaging.message.conversation_id',
  messageCount: 'messaging.batch.message_count',
  key: 'messaging.kafka.message.key',
  tombstone: 'messaging.kafka.message.tombstone',
  offset: 'messaging.kafka.offset',
  clusterId: 'messaging.kafka.cluster.id',
  errorType: 'error.type',
  serverAddress: 'server.address',
  serverPort: 'server.port',
} as const;

/** Value of {@link ATTRIBUTES}' `system`. */
export const KAFKA = 'kafka';
/** Value of `error.type` for an error without a class of its own. */
const OTHER = '_OTHER';

/** The value of `error.type` for an error, and the text for its span. */
export function describeError(error: unknown): {
  readonly type: string;
  readonly message: string | undefined;
} {
  if (typeof error === 'string') return { type: OTHER, message: error };
  if (typeof error !== 'object' || error === null || !Object.hasOwn(error, 'message')) {
    return { type: OTHER, message: undefined };
  }
  const { message, constructor } = error as { message: unknown; constructor?: { name?: unknown } };
  const name = constructor?.name;
  return { type: typeof name === 'string' ? name : OTHER, message: String(message) };
}

/** Attributes of a message, sent or received. */
export function messageAttributes(message: {
  readonly key?: unknown;
  readonly value?: unknown;
  readonly headers?: unknown;
}): Attributes {
  const { key, value } = message;
  return {
    [ATTRIBUTES.key]: key ? String(key as Buffer | string) : undefined,
    [ATTRIBUTES.tombstone]: key && value === null ? true : undefined,
  };
}

/** The attribute with the cluster's id, once a broker has reported it. */
export function clusterAttribute(clusterId: string | undefined): Attributes {
  return clusterId === undefined || clusterId === '' ? {} : { [ATTRIBUTES.clusterId]: clusterId };
}
