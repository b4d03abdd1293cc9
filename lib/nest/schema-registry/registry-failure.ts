import { KafkaSchemaRegistryError } from '../../kafkajs/errors/index.js';
import { messageOf } from '../../values/describe.js';

/** Error codes of Node.js for connections that fail. */
export const NETWORK =
  /^(ECONN|ENOTFOUND|EAI_|ETIMEDOUT|EPIPE|EHOST|ENET|CERT_|UNABLE_TO|SELF_SIGNED|DEPTH_ZERO|ERR_TLS)/;

/** How errors name a registry and the options of its client. */
export interface RegistryTerms {
  /** The addresses that the client was given; empty where they are in its errors only. */
  addresses(): readonly string[];
  /** The options that have the address, the credentials, and the certificates. */
  readonly address: string;
  readonly credentials: string;
  readonly certificates: string;
}

/** What the kafkajs client puts before the registry's text, and before that of a connection that failed. */
const PREFIX = /^Confluent_Schema_Registry - (?:Error, status 400: )?/;
const CERTIFICATE = /certificate|\b(?:CERT_|UNABLE_TO|SELF_SIGNED|DEPTH_ZERO|ERR_TLS|ERR_SSL|EPROTO)/i;

/** The registry has not answered, or with an error of its own: which one, why, and what to do. */
export function registryFailure(
  error: unknown,
  request: string,
  terms: RegistryTerms,
): KafkaSchemaRegistryError {
  const text = messageOf(error);
  const { status, code, url } = (error ?? {}) as { status?: unknown; code?: unknown; url?: unknown };
  // The kafkajs client names the method and the address.
  const asked = typeof url === 'string' ? [url.replace(/^\w+ /, '')] : terms.addresses();
  const isNetwork = NETWORK.test(String(code)) || (status === 400 && /status 400: /.test(text));
  const reason = isNetwork ? text.replace(PREFIX, '') : text;
  const where = asked.length === 0 ? '' : ` (asked at ${asked.map(withoutCredentials).join(', ')})`;
  return new KafkaSchemaRegistryError(
    request,
    error,
    `${reason}${where}${wayOut(reason, code, status, terms)}`,
  );
}

function wayOut(reason: string, code: unknown, status: unknown, terms: RegistryTerms): string {
  if (status === 401 || status === 403) return `. Give credentials that may read it: ${terms.credentials}`;
  if (CERTIFICATE.test(`${String(code)} ${reason}`)) {
    return `. Give the certificate of its authority: ${terms.certificates}, or NODE_EXTRA_CA_CERTS`;
  }
  if (typeof status === 'number' && status !== 400) return ". The registry's own log says why";
  return `. Does the registry run, and is this its address as seen from this machine? It is ${terms.address}`;
}

/** An address without what it has before the `@`. */
function withoutCredentials(address: string): string {
  // A password may contain @: the last one ends it.
  return address.replace(/^(\w+:\/\/)[^/?#]*@/, '$1');
}
