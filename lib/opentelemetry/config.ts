import type { Span } from '@opentelemetry/api';
import type { IHeaders } from '../kafkajs/types/index.js';

/** A message in the argument of a hook. */
export interface HookedMessage {
  /** The key. */
  key?: Buffer | string | null;
  /** The payload; null for a tombstone. */
  value?: Buffer | string | null;
  /** The headers. */
  headers?: IHeaders;
}

/** The argument of hooks. */
export interface MessageInfo {
  /** The topic. */
  topic: string;
  /** The message. */
  message: HookedMessage;
}

/** Options of {@link KafkaNativeInstrumentation}: those of `@opentelemetry/instrumentation-kafkajs`. */
export interface KafkaNativeInstrumentationConfig {
  /** Whether it is enabled from the start. Default: `true`. */
  enabled?: boolean;
  /** Called with the span of each message that is sent, for example to add attributes. */
  producerHook?: (span: Span, info: MessageInfo) => void;
  /** Called with the span of each message that is handled. */
  consumerHook?: (span: Span, info: MessageInfo) => void;
}
