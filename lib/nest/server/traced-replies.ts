import { KafkaHeaders } from '@nestjs/microservices';
import type { OutgoingRecord } from '../../codec/outgoing.js';
import { traceWritten, type SendOrigin } from '../../kafkajs/producer/traced-sends.js';

/** Traces a reply. The core knows its destination; for subscribers it is read from the request's headers. */
export function traceReply(
  record: OutgoingRecord,
  request: Readonly<Record<string, unknown>>,
  origin: SendOrigin,
  write: (record: OutgoingRecord) => void,
): void {
  const text = (name: string): string | undefined =>
    Object.hasOwn(request, name) ? String(request[name]) : undefined;
  const correlationId = text(KafkaHeaders.CORRELATION_ID);
  const partition = Number(text(KafkaHeaders.REPLY_PARTITION));
  traceWritten(
    text(KafkaHeaders.REPLY_TOPIC) ?? '',
    Number.isInteger(partition) ? { ...record, partition } : record,
    { ...origin, purpose: 'reply', ...(correlationId !== undefined && { correlationId }) },
    // The core chooses the partition, unless the application has given one.
    (traced) => write({ ...traced, partition: record.partition }),
  );
}
