import { KafkaHeaders } from '@nestjs/microservices';
import type { OutgoingRecord } from '../../codec/outgoing.js';
import { traceWritten, type SendOrigin } from '../../kafkajs/producer/traced-sends.js';

/** Tells of a reply: the core knows where it goes, and subscribers read it off the request. */
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
    // Its partition is the core's business, unless the application has chosen one.
    (traced) => write({ ...traced, partition: record.partition }),
  );
}
