import { KafkaJSError, KafkaJSProtocolError, type ErrorSource, type ProtocolErrorSource } from './base.js';

/** The result of deleting a group. */
export interface DeleteGroupsResult {
  /** The consumer group. */
  groupId: string;
  /** The protocol’s error code; 0 for none. */
  errorCode?: number;
  /** Why it was not deleted. */
  error?: KafkaJSProtocolError;
}

/** Some groups could not be deleted. */
export class KafkaJSDeleteGroupsError extends KafkaJSError {
  /** @internal */
  static override readonly brand: string = 'KafkaJSDeleteGroupsError';
  /** The groups concerned, each with its error. */
  readonly groups: DeleteGroupsResult[];

  constructor(e: ErrorSource, groups: DeleteGroupsResult[] = []) {
    super(e);
    this.groups = groups;
  }
}

/** The result of deleting a partition's records. */
export interface KafkaJSDeleteTopicRecordsErrorPartition {
  /** The partition. */
  partition: number;
  /** The offset up to which records were to be deleted. */
  offset: string;
  /** Why they were not deleted. */
  error: KafkaJSError;
}

/** The records of some partitions could not be deleted; retriable when each of them is. */
export class KafkaJSDeleteTopicRecordsError extends KafkaJSError {
  /** @internal */
  static override readonly brand: string = 'KafkaJSDeleteTopicRecordsError';
  /** The partitions concerned. */
  readonly partitions: KafkaJSDeleteTopicRecordsErrorPartition[];

  constructor({ partitions }: { topic?: string; partitions: KafkaJSDeleteTopicRecordsErrorPartition[] }) {
    const failed = partitions.filter(({ error }) => error != null);
    super('Error while deleting records', { retriable: failed.every(({ error }) => error.retriable) });
    this.partitions = partitions;
  }
}

/** A topic could not be created; one of the errors of a {@link KafkaJSAggregateError}. */
export class KafkaJSCreateTopicError extends KafkaJSProtocolError {
  /** @internal */
  static override readonly brand: string = 'KafkaJSCreateTopicError';

  constructor(e: ProtocolErrorSource, topic?: string, { cause }: { cause?: Error } = {}) {
    super(e, { topic, cause });
  }
}

/** A partition could not be moved. */
export class KafkaJSAlterPartitionReassignmentsError extends KafkaJSProtocolError {
  /** @internal */
  static override readonly brand: string = 'KafkaJSAlterPartitionReassignmentsError';

  constructor(e: ProtocolErrorSource, topic?: string, partition?: number) {
    super(e, { topic, partition });
  }
}
