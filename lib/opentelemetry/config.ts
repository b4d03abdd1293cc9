import type { Span } from '@opentelemetry/api';
import type { IHeaders } from '../kafkajs/types/index.js';

/** A message as a hook is given it. */
export interface HookedMessage {
  /** The key. */
  key?: Buffer | string | null;
  /** The payload; null for a tombstone. */
  value?: Buffer | string | null;
  /** The headers. */
  headers?: IHeaders;
}

/** What hooks are told. */
export interface MessageInfo {
  /** The topic. */
  topic: string;
  /** The message. */
  message: HookedMessage;
}

/** Options of {@link KafkaNativeInstrumentation}: those of `@opentelemetry/instrumentation-kafkajs`. */
export interface KafkaNativeInstrumentationConfig {
  /** Whether it is on from the start. Default: `true`. */
  enabled?: boolean;
  /** Called with the span of each message that is sent: a place for attributes of one's own. */
  producerHook?: (span: Span, info: MessageInfo) => void;
  /** Called with the span of each message that is handled. */
  consumerHook?: (span: Span, info: MessageInfo) => void;
}
