import { lookup } from 'node:dns/promises';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { KafkaConfig } from '../../kafkajs/types/index.js';
import { apiVersions } from './api-versions.js';
import { counted, type Diagnoses } from './finding.js';

/** A broker address that clients connect to. */
export interface Listener {
  readonly host: string;
  readonly port: number;
  /** The broker's name for a finding. */
  readonly name: string;
}

/** How long a listener may take to answer, in milliseconds. */
const TIMEOUT = 5000;
const DAY = 86_400_000;
/** Certificates that expire within this time are reported. */
const SOON = 30 * DAY;

/** API keys of the requests that are looked for. */
const API = { fetch: 1, initProducerId: 22, consumerGroupHeartbeat: 68 } as const;

/**
 * Checks addresses: whether their names resolve, whether a broker answers, when its certificate expires, and which
 * requests it supports. Resolves to whether all of them can be reached.
 */
export async function checkListeners(
  config: KafkaConfig,
  listeners: readonly Listener[],
  kind: 'bootstrap' | 'advertised',
  diagnoses: Diagnoses,
  usesConsumerProtocol = false,
): Promise<boolean> {
  const { ssl } = config;
  let isReached = true;
  for (const listener of listeners) {
    const address = `${listener.host}:${listener.port}`;
    const where = kind === 'advertised' ? `${address}, which ${listener.name} advertises,` : address;
    const wayOut =
      kind === 'advertised'
        ? `advertised.listeners=…://<a name that this machine resolves and reaches>:${listener.port} in the server.properties of ${listener.name} (KAFKA_ADVERTISED_LISTENERS in its container)`
        : "client.brokers: ['host:port'] of a listener that this machine reaches";
    const consequence =
      kind === 'advertised'
        ? 'Clients connect to the addresses that brokers advertise, whatever they were started with: partitions that this one leads cannot be read or written'
        : 'Clients begin at an address of client.brokers: without one that answers they learn of no broker';
    try {
      await lookup(listener.host);
    } catch {
      isReached = false;
      diagnoses.error('listener-unresolved', {
        what: `${where} has a name that does not resolve here`,
        why: consequence,
        fix: wayOut,
      });
      continue;
    }
    let socket: Socket | undefined;
    try {
      socket = await open(listener);
    } catch (error) {
      isReached = false;
      diagnoses.error('listener-unreachable', {
        what: `${where} cannot be reached: ${(error as Error).message}`,
        why: consequence,
        fix: `${wayOut}; or start it, where it does not run`,
      });
      continue;
    }
    try {
      if (ssl) socket = await checkCertificate(socket, listener, ssl, address, diagnoses);
      if (socket !== undefined) await checkVersions(socket, address, usesConsumerProtocol, diagnoses);
    } finally {
      socket?.destroy();
    }
  }
  diagnoses.checked(counted(listeners.length, `${kind} listener`));
  return isReached;
}

/** Resolves once connected. */
function open({ host, port }: Listener): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host, port });
    socket.setTimeout(TIMEOUT, () => socket.destroy(new Error(`no answer within ${TIMEOUT} ms`)));
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.setTimeout(0);
      resolve(socket);
    });
  });
}

/**
 * Starts TLS on a connection and checks the certificate. Resolves to the connection to continue with; undefined if it
 * failed.
 */
async function checkCertificate(
  socket: Socket,
  { host }: Listener,
  ssl: true | object,
  address: string,
  diagnoses: Diagnoses,
): Promise<Socket | undefined> {
  const options = (ssl === true ? {} : ssl) as ConnectionOptions;
  let secure: TLSSocket;
  try {
    secure = await new Promise<TLSSocket>((resolve, reject) => {
      // Accepts any certificate to be able to look at it; authorizationError says what is wrong with it.
      const tls = connectTls({ servername: host, ...options, socket, rejectUnauthorized: false });
      tls.setTimeout(TIMEOUT, () => tls.destroy(new Error(`no TLS answer within ${TIMEOUT} ms`)));
      tls.once('error', reject);
      tls.once('close', () => reject(new Error('the connection was closed')));
      tls.once('secureConnect', () => {
        tls.setTimeout(0);
        resolve(tls);
      });
    });
  } catch (error) {
    diagnoses.error('tls', {
      what: `${address} does not speak TLS as asked: ${(error as Error).message}`,
      why: 'client.ssl is set, and the handshake fails',
      fix: "client.brokers: ['host:port'] of a TLS listener, or client.ssl: false for this one",
    });
    return undefined;
  }
  const certificate = secure.getPeerCertificate();
  const until = Date.parse(certificate.valid_to);
  const name = String(certificate.subject?.CN ?? address);
  if (until < Date.now()) {
    diagnoses.error('certificate-expired', {
      what: `The certificate of ${address} (${name}) has expired on ${certificate.valid_to}`,
      why: 'No client accepts it',
      fix: `A new certificate in ssl.keystore.location of that broker; ssl.client settings cannot mend it`,
    });
    return secure;
  }
  if (until < Date.now() + SOON) {
    diagnoses.warning('certificate-expires', {
      what: `The certificate of ${address} (${name}) expires on ${certificate.valid_to}`,
      why: `That is in ${Math.floor((until - Date.now()) / DAY)} days; then no client connects`,
      fix: 'A new certificate in ssl.keystore.location of that broker',
    });
  }
  if (secure.authorizationError && options.rejectUnauthorized !== false) {
    const isOfAnother = String(secure.authorizationError) === 'ERR_TLS_CERT_ALTNAME_INVALID';
    diagnoses.error('certificate', {
      what: `The certificate of ${address} (${name}) is not accepted: ${String(secure.authorizationError)}`,
      why: isOfAnother
        ? `It is a certificate for ${certificate.subjectaltname ?? name}, and not for ${host}`
        : 'It is not of an authority that Node.js or client.ssl.ca trusts',
      fix: isOfAnother
        ? 'A name of the certificate in client.brokers, and in the advertised.listeners of that broker; or client.ssl: { checkServerIdentity: () => undefined } for no check of names'
        : "client.ssl: { ca: readFileSync('ca.pem', 'utf8') } with the authority's certificate",
    });
  }
  return secure;
}

async function checkVersions(
  socket: Socket,
  address: string,
  usesConsumerProtocol: boolean,
  diagnoses: Diagnoses,
): Promise<void> {
  const versions = await apiVersions(socket, TIMEOUT).catch(() => undefined);
  // A broker that closes the connection, or wants TLS, has been reported already.
  if (versions === undefined) return;
  if ((versions.get(API.fetch) ?? 0) < 4 || !versions.has(API.initProducerId)) {
    diagnoses.error('broker-version', {
      what: `The broker at ${address} is older than Kafka 0.11`,
      why: 'It knows no headers, which requests and replies need, and no idempotent producers',
      fix: 'A newer broker',
    });
  }
  if (usesConsumerProtocol && !versions.has(API.consumerGroupHeartbeat)) {
    diagnoses.error('group-protocol', {
      what: `The broker at ${address} does not know the group protocol "consumer" (KIP-848)`,
      why: 'consumer.groupProtocol asks for it; Kafka has it from 4.0 on, or with group.coordinator.rebalance.protocols=classic,consumer in 3.7 to 3.9',
      fix: "consumer.groupProtocol: 'classic', or group.coordinator.rebalance.protocols=classic,consumer in server.properties",
    });
  }
}
