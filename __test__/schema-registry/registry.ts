import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Type } from 'avsc';

// A schema registry that speaks the documented HTTP API: subjects, versions, schemas by id, compatibility and configuration, with the
// error codes of the documentation. What it knows is kept over a stop, as a registry keeps it in Kafka.
// https://docs.confluent.io/platform/current/schema-registry/develop/api.html

interface Registered {
  subject: string;
  version: number;
  id: number;
  schema: string;
  schemaType: string;
  references: unknown[];
}

type Answer = [status: number, body: unknown];

const TYPE = 'application/vnd.schemaregistry.v1+json';
const failure = (status: number, error_code: number, message: string): Answer => [
  status,
  { error_code, message },
];
const NO_SUBJECT = (subject: string): Answer => failure(404, 40401, `Subject '${subject}' not found.`);
const NO_VERSION = (version: string): Answer => failure(404, 40402, `Version ${version} not found.`);
const NO_SCHEMA = failure(404, 40403, 'Schema not found');

export class SchemaRegistryServer {
  /** What was asked, in its order: `GET /schemas/ids/1`. */
  readonly requests: string[] = [];
  readonly #versions: Registered[] = [];
  readonly #compatibility = new Map<string, string>();
  #server: Server | undefined;
  #port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async start(): Promise<this> {
    const server = createServer((request, response) => {
      const answer = async (): Promise<void> => {
        const [status, body] = await this.#answer(request);
        response.writeHead(status, { 'content-type': TYPE }).end(JSON.stringify(body));
      };
      void answer();
    });
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
    return this;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  }

  /** The id of a schema, as one registers it by the API. */
  async register(subject: string, schema: object | string, schemaType = 'AVRO'): Promise<number> {
    const text = typeof schema === 'string' ? schema : JSON.stringify(schema);
    const response = await fetch(`${this.url}/subjects/${encodeURIComponent(subject)}/versions`, {
      method: 'POST',
      headers: { 'content-type': TYPE },
      body: JSON.stringify({ schema: text, schemaType }),
    });
    const body = (await response.json()) as { id: number; message?: string };
    if (!response.ok) throw new Error(`${response.status}: ${body.message}`);
    return body.id;
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const { method = 'GET', url = '/' } = request;
    const { pathname } = new URL(url, this.url);
    this.requests.push(`${method} ${pathname}`);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const body = text === '' ? {} : (JSON.parse(text) as Record<string, any>);
    const path = pathname.split('/').slice(1).map(decodeURIComponent);
    const [root, subject = '', part, version] = path;
    if (root === 'schemas' && path[1] === 'ids') return this.#byId(Number(path[2]));
    if (root === 'config') return this.#config(method, subject, body);
    if (root === 'compatibility') return this.#compatible(path[2] ?? '', path[4] ?? '', body);
    if (root !== 'subjects') return failure(404, 404, 'HTTP 404 Not Found');
    if (subject === '') return [200, [...new Set(this.#versions.map((each) => each.subject))]];
    if (part === undefined) return method === 'POST' ? this.#lookUp(subject, body) : NO_SUBJECT(subject);
    if (method === 'POST') return this.#register(subject, body);
    const all = this.#of(subject);
    if (all.length === 0) return NO_SUBJECT(subject);
    if (version === undefined) return [200, all.map((each) => each.version)];
    const found = version === 'latest' ? all.at(-1) : all.find((each) => String(each.version) === version);
    return found ? [200, found] : NO_VERSION(version);
  }

  #of(subject: string): Registered[] {
    return this.#versions.filter((each) => each.subject === subject);
  }

  #byId(id: number): Answer {
    const found = this.#versions.find((each) => each.id === id);
    if (!found) return NO_SCHEMA;
    const { schema, schemaType, references } = found;
    // AVRO is what is left out.
    return [200, { schema, references, ...(schemaType !== 'AVRO' && { schemaType }) }];
  }

  #lookUp(subject: string, { schema }: Record<string, any>): Answer {
    const all = this.#of(subject);
    if (all.length === 0) return NO_SUBJECT(subject);
    const found = all.find((each) => each.schema === schema);
    return found ? [200, found] : NO_SCHEMA;
  }

  #register(subject: string, { schema, schemaType = 'AVRO', references = [] }: Record<string, any>): Answer {
    const all = this.#of(subject);
    const known = all.find((each) => each.schema === schema);
    if (known) return [200, { id: known.id }];
    const [, verdict] = this.#compatible(subject, 'latest', { schema, schemaType });
    if ((verdict as { is_compatible?: boolean }).is_compatible === false) {
      return failure(409, 409, 'Schema being registered is incompatible with an earlier schema');
    }
    // The same schema has one id, whatever subjects it is registered under.
    const same = this.#versions.find((each) => each.schema === schema && each.schemaType === schemaType);
    const id = same?.id ?? Math.max(0, ...this.#versions.map((each) => each.id)) + 1;
    this.#versions.push({ subject, version: all.length + 1, id, schema, schemaType, references });
    return [200, { id }];
  }

  #compatible(
    subject: string,
    version: string,
    { schema, schemaType = 'AVRO' }: Record<string, any>,
  ): Answer {
    const all = this.#of(subject);
    const before = version === 'latest' ? all.at(-1) : all.find((each) => String(each.version) === version);
    const level = this.#compatibility.get(subject) ?? this.#compatibility.get('') ?? 'BACKWARD';
    if (!before || level === 'NONE' || schemaType !== 'AVRO') return [200, { is_compatible: true }];
    try {
      const [older, newer] = [before.schema, schema].map((text) => Type.forSchema(JSON.parse(text)));
      newer!.createResolver(older!);
      return [200, { is_compatible: true }];
    } catch {
      return [200, { is_compatible: false }];
    }
  }

  #config(method: string, subject: string, body: Record<string, any>): Answer {
    if (method === 'PUT') {
      this.#compatibility.set(subject, body['compatibility']);
      return [200, body];
    }
    const level = this.#compatibility.get(subject) ?? (subject === '' ? 'BACKWARD' : undefined);
    return level === undefined
      ? failure(404, 40408, `Subject '${subject}' does not have subject-level compatibility configured`)
      : [200, { compatibilityLevel: level }];
  }
}
