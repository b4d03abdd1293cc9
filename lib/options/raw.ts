import { KafkaJSInvalidOptionError } from '../kafkajs/errors/index.js';
import { setOwn } from '../values/own-property.js';
import { isGiven } from './given.js';
import type { Given } from './given.js';
import type { Properties } from './table.js';

/** librdkafka's aliases of properties, each with the name that this package uses. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ['metadata.broker.list', 'bootstrap.servers'],
  ['max.in.flight', 'max.in.flight.requests.per.connection'],
  ['sasl.mechanism', 'sasl.mechanisms'],
  ['fetch.message.max.bytes', 'max.partition.fetch.bytes'],
  ['queue.buffering.max.ms', 'linger.ms'],
  ['retries', 'message.send.max.retries'],
  ['compression.type', 'compression.codec'],
  ['request.required.acks', 'acks'],
  ['delivery.timeout.ms', 'message.timeout.ms'],
]);

const COMMITS = 'this package commits what was handled; see run.autoCommit and run.autoCommitInterval';

/** Properties that the core sets itself, each with the reason and what to use instead. */
export const OWNED_PROPERTIES: ReadonlyMap<string, string> = new Map([
  ['bootstrap.servers', 'use client.brokers'],
  ['client.id', 'use client.clientId'],
  ['group.id', 'use consumer.groupId'],
  ['enable.auto.commit', COMMITS],
  ['auto.commit.enable', COMMITS],
  ['auto.commit.interval.ms', COMMITS],
  ['enable.auto.offset.store', 'an offset is stored when its message was handled, not when it was fetched'],
  ['offset.store.method', 'offsets are kept by the broker'],
  ['auto.offset.reset', 'use subscribe.fromBeginning'],
  [
    'partition.assignment.strategy',
    'use consumer.partitionAssigners, for example [PartitionAssigners.cooperativeSticky]',
  ],
  ['enable.partition.eof', 'the core does not expect its events'],
  ['plugin.library.paths', 'a configuration must not load code into the process'],
  ['delivery.report.only.error', 'every message waits for its delivery report'],
  ['log.queue', 'logs go to client.logCreator'],
  ['log.thread.name', 'logs go to client.logCreator'],
  ['enabled_events', 'the core sets the events it serves'],
  ['internal.termination.signal', 'signals belong to Node.js'],
  ['opaque', 'it is a pointer of the core'],
  ['default_topic_conf', 'topic properties are given like all others'],
  ['interceptors', 'they are native code'],
]);

const AWS_INSTEAD =
  "use client.sasl: { mechanism: 'aws', authorizationIdentity, accessKeyId, secretAccessKey, sessionToken }; librdkafka has no properties for them";

/** Whether a raw property chooses the mechanism AWS, whose keys only `client.sasl` takes. */
const isForeignAws = (property: string, value: unknown, given: Properties): boolean =>
  property === 'sasl.mechanisms' && /^aws$/i.test(String(value)) && given[property] !== 'AWS';

/** The name that this package uses for a property. */
export const canonicalName = (property: string): string => ALIASES.get(property) ?? property;

/** The raw properties of one options object. */
export interface RawSource {
  /** For example `consumer.librdkafka`. */
  readonly path: string;
  readonly raw: Given | undefined;
}

/**
 * Merges raw properties over the translated ones, the later source over the earlier.
 *
 * @param explicit for each property the path of the given kafkajs option that set it
 * @throws KafkaJSInvalidOptionError on a property that the core owns or that contradicts a given option
 */
export function mergeRaw(
  properties: Properties,
  explicit: ReadonlyMap<string, string>,
  sources: readonly RawSource[],
): Properties {
  const merged = { ...properties };
  for (const { path, raw } of sources) {
    for (const [name, value] of Object.entries(raw ?? {})) {
      if (!isGiven(value)) continue;
      const option = `${path}["${name}"]`;
      const property = canonicalName(name);
      const reason = ownedReason(property);
      if (reason !== undefined) {
        throw new KafkaJSInvalidOptionError(`Option ${option} cannot be set: ${reason}`, { option });
      }
      const rival = explicit.get(property);
      if (rival !== undefined && properties[property] !== String(value)) {
        const message = `Option ${option} contradicts ${rival}: give only one of them`;
        throw new KafkaJSInvalidOptionError(message, { option });
      }
      if (isForeignAws(property, value, properties)) {
        const message = `Option ${option} cannot be AWS: ${AWS_INSTEAD}`;
        throw new KafkaJSInvalidOptionError(message, { option });
      }
      setOwn(merged, property, String(value));
    }
  }
  return merged;
}

function ownedReason(property: string): string | undefined {
  if (/_cb$|^ssl_(key|certificate|ca|engine_callback_data)$/.test(property))
    return 'it is a callback of the core';
  return OWNED_PROPERTIES.get(property);
}
