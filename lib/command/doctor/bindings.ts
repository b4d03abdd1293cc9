import type { Application, UnboundHandler } from '../inspection/application.js';
import { counted, type Diagnoses } from './finding.js';

/** What decorators name as the transport of servers without a `transportId` of their own. */
const KAFKA = 'Transport.KAFKA';

/** Checks that each handler for Kafka is bound to a server. */
export function checkBindings(
  { servers, unbound }: Pick<Application, 'servers' | 'unbound'>,
  diagnoses: Diagnoses,
): void {
  const ofServers = [...new Set(servers.map(({ transportId }) => nameOf(transportId)))].join(', ');
  for (const name of new Set(unbound.map(({ transport }) => nameOf(transport)))) {
    const handlers = unbound.filter(({ transport }) => nameOf(transport) === name);
    const finding = {
      what: `${handlers.map(textOf).join(', ')} ${handlers.length === 1 ? 'names' : 'name'} ${name}, and no server has it`,
      why: `NestJS binds a handler that names a transport to servers with that transportId, and those of this application have ${ofServers}: nothing reaches ${counted(handlers.length, 'handler')}`,
    };
    const [{ isEvent, patterns } = { isEvent: true, patterns: [] }] = handlers;
    const decorator = `@${isEvent ? 'EventPattern' : 'MessagePattern'}('${patterns[0]}'`;
    if (name !== KAFKA) {
      // An application may leave the server of one cluster out on purpose.
      diagnoses.warning('handler-unbound', {
        ...finding,
        fix: `transportId: ${name} in the options of the handler's server; export the symbol from one file, because Symbol('…') is another one at each call`,
      });
    } else {
      diagnoses.error('handler-unbound', {
        ...finding,
        fix: `${decorator}, <the transportId of its server>), one of ${ofServers}; or ${decorator}), which every server takes`,
      });
    }
  }
}

const nameOf = (transport: unknown): string => (typeof transport === 'symbol' ? String(transport) : KAFKA);

const textOf = ({ method, patterns }: UnboundHandler): string => `${method}() of ${patterns.join(', ')}`;
