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

const logged = (message: string): CoreEvent => ({ type: 'log', level: 6, facility: 'FAIL', message });
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

  it.each([
    ['PLAIN', "set client.sasl: { mechanism: 'plain', username, password }"],
    ['GSSAPI,SCRAM-SHA-256', "set client.sasl: { mechanism: 'scram-sha-256', username, password }"],
    [
      'AWS_MSK_IAM,OAUTHBEARER',
      "set client.sasl: mskIam({ region }) of 'nestjs-kafka-native/msk-iam', or { mechanism: 'oauthbearer', oauthBearerProvider }",
    ],
    [
      'AWS',
      "set client.sasl: { mechanism: 'aws', authorizationIdentity, accessKeyId, secretAccessKey, sessionToken }",
    ],
    ['GSSAPI', 'this package has none of them: connect to a listener with SCRAM-SHA-512, '],
  ])('says what to set where the listener has %s', (mechanisms, wayOut) => {
    const message = `SASL mechanism handshake failed: Broker: Unsupported SASL mechanism: broker's supported mechanisms: ${mechanisms} (after 4ms in state AUTH_HANDSHAKE)`;
    const failure = { ...TIMED_OUT, code: -169, message };
    const { message: told } = new ConnectionTrouble().error(failure, 'a:9093', 1000, RETRY_DEFAULTS);
    expect(told).toContain(`no broker of a:9093 let us in: ${message}; ${wayOut}`);
  });

  const at = 'a:9093/bootstrap';

  // Which of them it is hangs on whether the broker had closed before the request was written.
  it.each([
    logged(
      `[thrd:${at}]: ${at}: Disconnected: connection closed by peer: receive 0 after POLLIN (after 7ms in state UP)`,
    ),
    logged(
      `[thrd:${at}]: ${at}: Disconnected: connection reset by peer (after 0ms in state UP, 1 identical error(s) suppressed)`,
    ),
    error(-195, `${at}: Send failed: Broken pipe (after 1ms in state UP)`),
    error(-195, `a:9093/1: Receive failed: Connection reset by peer (after 1ms in state UP)`),
  ])('says that the listener wants SASL however the end is seen: $message', (event) => {
    const trouble = new ConnectionTrouble();
    trouble.note(event);
    expect(String(failed(trouble))).toMatch(/first request without SASL; .*give client\.sasl/);
  });

  it.each([
    logged(
      `[thrd:${at}]: ${at}: Disconnected: connection closed by peer (after 3ms in state APIVERSION_QUERY)`,
    ),
    error(-195, `sasl_plaintext://${at}: Send failed: Broken pipe (after 1ms in state APIVERSION_QUERY)`),
  ])('says that the listener speaks TLS however the end is seen: $message', (event) => {
    const trouble = new ConnectionTrouble();
    trouble.note(event);
    expect(String(failed(trouble))).toMatch(/first request without TLS; .*set client\.ssl/);
  });

  it.each([
    'Disconnected: SSL connection closed by peer',
    'Disconnected: connection reset by peer',
    'SSL transport error: Broken pipe',
  ])('says that the listener speaks no TLS however the end is seen: %s', (end) => {
    const trouble = new ConnectionTrouble();
    trouble.note(error(-195, `ssl://${at}: ${end} (after 1ms in state SSL_HANDSHAKE)`));
    expect(String(failed(trouble))).toMatch(/leave out client\.ssl/);
  });

  it.each([
    error(-195, `sasl_ssl://${at}: Send failed: Broken pipe (after 1ms in state UP)`),
    error(-195, `${at}: Send failed: Broken pipe (after 90000ms in state UP)`),
    error(
      -195,
      `${at}: Connect to ipv4#1.2.3.4:9093 failed: Connection refused (after 0ms in state CONNECT)`,
    ),
  ])('takes no other end for one of these: $message', (event) => {
    const trouble = new ConnectionTrouble();
    trouble.note(event);
    expect(String(failed(trouble))).toContain(`(${'message' in event && event.message})`);
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
    const message = `${at}: SASL authentication error: Authentication failed (after 4ms in state AUTH_REQ)`;
    const failure = { ...TIMED_OUT, code: -169, message };
    expect(new ConnectionTrouble().error(failure, 'a:9093', 1000, RETRY_DEFAULTS).message).toBe(
      `fetch metadata: no broker of a:9093 let us in: ${message}; give the credentials that this listener knows as client.sasl`,
    );
  });
});
