import kafkajs from 'kafkajs';
import { describe, expect, it, vi } from 'vitest';
import { errorCode, errorCodeOfType, errorCodes, localErrorCodes } from '../../lib/kafkajs/errors/codes.js';
import * as errors from '../../lib/kafkajs/errors/index.js';

const {
  KafkaJSConnectionError,
  KafkaJSError,
  KafkaJSNonRetriableError,
  KafkaJSNumberOfRetriesExceeded,
  KafkaJSOffsetOutOfRange,
  KafkaJSProtocolError,
  KafkaJSRequestTimeoutError,
  KafkaReplyLostError,
  KafkaReplyTimeoutError,
  isKafkaError,
  kafkaErrorFromNative,
} = errors;

describe('the error classes', () => {
  it('carry the names that kafkajs gives them', () => {
    const theirs = Object.keys(kafkajs).filter((name) => name.startsWith('KafkaJS'));
    expect(theirs.length).toBeGreaterThan(20);
    expect(theirs.filter((name) => !(name in errors))).toEqual([]);
  });

  it('have name, retriable and cause, and a stack that begins with the name', () => {
    const cause = new Error('beneath');
    const error = new KafkaJSNonRetriableError('no', { cause });
    expect(error).toMatchObject({ name: 'KafkaJSNonRetriableError', message: 'no', retriable: false, cause });
    expect(error.stack).toMatch(/^KafkaJSNonRetriableError: no\n {4}at .*errors\.test\.ts/);
    expect(new KafkaJSError('maybe').retriable).toBe(true);
    expect('cause' in new KafkaJSError('none')).toBe(false);
  });

  it('take an error for a message, as kafkajs does', () => {
    const last = new KafkaJSConnectionError('gone', { broker: 'a:9092', code: 'ECONNREFUSED' });
    const error = new KafkaJSNumberOfRetriesExceeded(last, { retryCount: 5, retryTime: 4800 });
    expect(error).toMatchObject({
      message: 'gone',
      retryCount: 5,
      retryTime: 4800,
      retriable: false,
      cause: last,
    });
    expect(error.stack).toMatch(
      /^KafkaJSNumberOfRetriesExceeded\n {2}Caused by: KafkaJSConnectionError: gone/,
    );
  });

  it('follow the class hierarchy under instanceof', () => {
    const error = new KafkaJSOffsetOutOfRange(errorCode(1), { topic: 't', partition: 3 });
    expect(error).toBeInstanceOf(KafkaJSOffsetOutOfRange);
    expect(error).toBeInstanceOf(KafkaJSProtocolError);
    expect(error).toBeInstanceOf(KafkaJSError);
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(KafkaJSNonRetriableError);
    expect(new Error('x')).not.toBeInstanceOf(KafkaJSError);
    expect(null).not.toBeInstanceOf(KafkaJSError);
    expect(error).toMatchObject({ topic: 't', partition: 3, code: 1, type: 'OFFSET_OUT_OF_RANGE' });
  });

  it('recognise each other across two copies of the package', async () => {
    vi.resetModules();
    const copy = (await import('../../lib/kafkajs/errors/index.js')) as typeof errors;
    expect(copy.KafkaJSError).not.toBe(KafkaJSError);
    const error = new copy.KafkaJSConnectionError('gone');
    expect(error).toBeInstanceOf(KafkaJSConnectionError);
    expect(error).toBeInstanceOf(KafkaJSError);
    expect(error).not.toBeInstanceOf(KafkaJSProtocolError);
    expect(isKafkaError(error)).toBe(true);
  });

  it('leave subclasses of an application to ordinary instanceof', () => {
    class Own extends KafkaJSError {}
    expect(new Own('x')).toBeInstanceOf(Own);
    expect(new Own('x')).toBeInstanceOf(KafkaJSError);
    expect(new KafkaJSError('x')).not.toBeInstanceOf(Own);
  });

  it('describe replies that did not come', () => {
    const timeout = new KafkaReplyTimeoutError({
      topic: 'a.reply',
      partition: 2,
      timeout: 500,
      correlationId: 'c',
    });
    expect(timeout).toMatchObject({
      name: 'KafkaReplyTimeoutError',
      timeout: 500,
      partition: 2,
      correlationId: 'c',
    });
    expect(timeout.message).toBe('No reply on a.reply (partition 2) within 500 ms');
    const lost = new KafkaReplyLostError({ topic: 'a.reply', partition: 2, reason: 'the partition moved' });
    expect(lost).toMatchObject({ name: 'KafkaReplyLostError', reason: 'the partition moved' });
    expect(lost.message).toContain('the partition moved');
  });
});

describe('the table of error codes', () => {
  it('is the protocol’s, without gaps', () => {
    for (let code = 1; code <= 120; code++) expect(errorCodes.get(code)?.code).toBe(code);
    expect(new Set([...errorCodes.values()].map((row) => row.type)).size).toBe(errorCodes.size);
    expect(errorCodeOfType('MESSAGE_TOO_LARGE')?.code).toBe(10);
  });

  it('gives unknown numbers kafkajs’s error', () => {
    expect(errorCode(4711)).toMatchObject({ type: 'KAFKAJS_UNKNOWN_ERROR_CODE', code: -99 });
  });

  it('points only at protocol errors that exist', () => {
    for (const [, kind] of localErrorCodes.values()) {
      if (typeof kind === 'object') expect(errorCodes.has(kind.protocol)).toBe(true);
    }
  });
});

describe('kafkaErrorFromNative', () => {
  it('makes protocol errors of the broker’s codes, with librdkafka’s words as the cause', () => {
    const error = kafkaErrorFromNative({
      code: 3,
      message: 'Broker: Unknown topic',
      topic: 't',
      partition: 1,
    });
    expect(error).toMatchObject({
      name: 'KafkaJSProtocolError',
      type: 'UNKNOWN_TOPIC_OR_PARTITION',
      code: 3,
      retriable: true,
      message: 'This server does not host this topic-partition',
      topic: 't',
      partition: 1,
      cause: { name: 'LibrdkafkaError', code: 3, message: 'Broker: Unknown topic' },
    });
    expect(kafkaErrorFromNative({ code: 10, message: 'x' })).toMatchObject({
      type: 'MESSAGE_TOO_LARGE',
      retriable: false,
    });
    expect(kafkaErrorFromNative({ code: -1, message: 'x' })).toMatchObject({ type: 'UNKNOWN', code: -1 });
  });

  it.each([
    [-195, 'KafkaJSConnectionError', true],
    [-187, 'KafkaJSConnectionError', true],
    [-193, 'KafkaJSConnectionError', true],
    [-181, 'KafkaJSConnectionError', true],
    [-185, 'KafkaJSRequestTimeoutError', true],
    [-192, 'KafkaJSRequestTimeoutError', true],
    [-184, 'KafkaJSError', true],
    [-169, 'KafkaJSSASLAuthenticationError', false],
    [58, 'KafkaJSSASLAuthenticationError', false],
    [-170, 'KafkaJSNotImplemented', false],
    [-172, 'KafkaJSNonRetriableError', false],
    [-188, 'KafkaJSProtocolError', true],
    [-144, 'KafkaJSProtocolError', false],
    [-12345, 'KafkaJSNonRetriableError', false],
  ])('maps %i to %s', (code, name, retriable) => {
    expect(kafkaErrorFromNative({ code, message: 'words' })).toMatchObject({ name, retriable });
  });

  it('tells which broker could not be reached, and the system’s name of the reason', () => {
    const message = 'localhost:9092/bootstrap: Connect to ipv4#127.0.0.1:9092 failed: Connection refused';
    const error = kafkaErrorFromNative({ code: -195, message, broker: 'localhost:9092' });
    expect(error).toMatchObject({
      broker: 'localhost:9092',
      code: 'ECONNREFUSED',
      cause: { type: '_TRANSPORT' },
    });
    expect(kafkaErrorFromNative({ code: -187, message: '1/1 brokers are down' })).toMatchObject({
      code: '_ALL_BROKERS_DOWN',
    });
  });

  it('makes fatal errors final', () => {
    expect(kafkaErrorFromNative({ code: -184, message: 'x', fatal: true })).toMatchObject({
      retriable: false,
      fatal: true,
    });
    expect(kafkaErrorFromNative({ code: 6, message: 'x', fatal: true })).toMatchObject({
      retriable: false,
      fatal: true,
    });
  });

  it('makes an offset out of range the class that kafkajs has for it', () => {
    const info = { code: -140, message: 'x', topic: 't', partition: 0 };
    expect(kafkaErrorFromNative(info)).toBeInstanceOf(KafkaJSOffsetOutOfRange);
    expect(kafkaErrorFromNative({ ...info, code: 1 })).toBeInstanceOf(KafkaJSOffsetOutOfRange);
    expect(kafkaErrorFromNative({ code: 1, message: 'x' }).name).toBe('KafkaJSProtocolError');
  });

  it('keeps the time-out’s broker', () => {
    const error = kafkaErrorFromNative({ code: -185, message: 'x', broker: 'a:1' });
    expect(error).toBeInstanceOf(KafkaJSRequestTimeoutError);
    expect(error).toMatchObject({ broker: 'a:1' });
  });
});
