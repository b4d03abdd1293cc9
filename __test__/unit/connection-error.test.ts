import { describe, expect, it } from 'vitest';
import { ConnectionTrouble } from '../../lib/kafkajs/cluster/connection-error.js';
import type { CoreEvent } from '../../lib/native/core-events.js';
import { RETRY_DEFAULTS } from '../../lib/kafkajs/retry/retry.js';

const TIMED_OUT = { code: -185, operation: 'fetch metadata', message: 'Local: Timed out', fatal: false };
const failed = (trouble: ConnectionTrouble, code = TIMED_OUT.code): unknown =>
  trouble.error({ ...TIMED_OUT, code }, 'a:9093', 1000, RETRY_DEFAULTS);

const refusedCertificate: CoreEvent = {
  type: 'log',
  level: 3,
  facility: 'CERTVERIFY',
  message:
    '[thrd:ssl://a:9093/bootstrap]: Certificate (subject=/CN=a, issuer=/CN=b) verification callback failed: certificate has expired',
};

const error = (code: number, message: string): CoreEvent => ({ type: 'error', code, message, fatal: false });

describe('the error of a connection', () => {
  // librdkafka says _SSL, or _TRANSPORT where the handshake took a single step.
  it.each([-181, -195])('tells why a certificate was refused, under code %i', (code) => {
    const trouble = new ConnectionTrouble();
    trouble.note(refusedCertificate);
    trouble.note(error(code, 'SSL routines::certificate verify failed'));
    expect(String(failed(trouble))).toMatch(/\(\/CN=a\) is not accepted: certificate has expired; renew it/);
  });

  it('tells of what came last, not of a certificate of before', () => {
    const trouble = new ConnectionTrouble();
    trouble.note(refusedCertificate);
    trouble.note(error(-195, 'Connection refused'));
    trouble.note(error(-187, '1/1 brokers are down'));
    expect(String(failed(trouble))).toMatch(/within 1000 ms \(Connection refused\)$/);
  });

  // -185: a listener that wants SASL lets a connection stand for a moment, and the request on it goes unanswered.
  it.each([-195, -185])('says what kafkajs says after its last retry, under code %i', (code) => {
    expect(failed(new ConnectionTrouble(), code)).toMatchObject({
      name: 'KafkaJSNumberOfRetriesExceeded',
      retryCount: 5,
      cause: { name: 'KafkaJSConnectionError', retriable: true },
    });
  });

  it('is final when a broker refuses the credentials', () => {
    expect(failed(new ConnectionTrouble(), -169)).toMatchObject({
      name: 'KafkaJSSASLAuthenticationError',
      retriable: false,
      message: expect.stringContaining('no broker of a:9093 let us in'),
    });
  });
});
