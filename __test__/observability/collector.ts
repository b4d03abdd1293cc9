import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Value {
  stringValue?: string;
  intValue?: number | string;
  boolValue?: boolean;
}

/** A span as an OTLP exporter posts it. */
export interface PostedSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  attributes: { key: string; value: Value }[];
  status: { code?: number; message?: string };
  links: { traceId: string; spanId: string }[];
}

interface Posted {
  resourceSpans: {
    resource: { attributes: { key: string; value: Value }[] };
    scopeSpans: { scope: { name: string; version: string }; spans: PostedSpan[] }[];
  }[];
}

/** What takes spans over HTTP, as OpenTelemetry's collector does. */
export class Collector {
  readonly paths = new Set<string>();
  readonly services = new Set<unknown>();
  readonly scopes = new Set<string>();
  readonly spans: PostedSpan[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      this.paths.add(`${request.method} ${request.url}`);
      this.#take(JSON.parse(body) as Posted);
      response.setHeader('content-type', 'application/json');
      response.end('{}');
    });
  }

  static async start(): Promise<Collector> {
    const collector = new Collector();
    await new Promise<void>((resolve) => {
      collector.#server.listen(0, '127.0.0.1', resolve);
    });
    return collector;
  }

  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #take({ resourceSpans }: Posted): void {
    for (const { resource, scopeSpans } of resourceSpans) {
      this.services.add(plain(resource.attributes)['service.name']);
      for (const { scope, spans } of scopeSpans) {
        this.scopes.add(`${scope.name} ${scope.version}`);
        this.spans.push(...spans);
      }
    }
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/** Attributes as they were set. */
export function plain(attributes: PostedSpan['attributes']): Record<string, unknown> {
  return Object.fromEntries(
    attributes.map(({ key, value: { stringValue, intValue, boolValue } }) => [
      key,
      stringValue ?? (intValue === undefined ? boolValue : Number(intValue)),
    ]),
  );
}
