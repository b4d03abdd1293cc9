import { KafkaJSError } from './base.js';

/** An error as the core reports it. */
export interface NativeErrorInfo {
  /** librdkafka's code: positive ones are the broker's, negative ones librdkafka's own. */
  code: number;
  message: string;
  /** The handle is lost. */
  fatal?: boolean;
  topic?: string;
  partition?: number;
  /** `host:port` of the broker concerned. */
  broker?: string;
}

/** The error that an application sees for one of the core's. */
export function kafkaErrorFromNative(info: NativeErrorInfo): KafkaJSError {
  return new KafkaJSError(info.message, { fatal: info.fatal });
}
