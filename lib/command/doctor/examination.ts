import type { Application } from '../inspection/application.js';
import { checkBindings } from './bindings.js';
import { checkCluster } from './clusters.js';
import { counted, Diagnoses, type Diagnosis } from './finding.js';
import { checkOptions } from './options.js';
import { clustersOf, connectableOf } from './visit.js';

/** Options of the examination in the application's process. */
interface ExaminationOptions {
  /** Whether clusters are checked too. */
  readonly online: boolean;
  readonly instances: number;
  /** Brokers to use instead of the application's own. */
  readonly brokers?: readonly string[];
}

/** Examines an application, in its own process. */
export default async function examine(
  application: Application,
  given: ExaminationOptions,
): Promise<Diagnosis> {
  const { online, instances, brokers } = given;
  const diagnoses = new Diagnoses();
  const { servers, clients } = application;
  diagnoses.checked(`${counted(servers.length, 'server')}, ${counted(clients.length, 'client')}`);
  const usable = checkOptions(application, diagnoses);
  checkBindings(application, diagnoses);
  if (online) {
    const isNamed = brokers !== undefined;
    const connectable = {
      servers: connectableOf(usable.servers, servers, isNamed, diagnoses),
      clients: connectableOf(usable.clients, clients, isNamed, diagnoses),
    };
    for (const use of clustersOf(connectable)) {
      const config = brokers === undefined ? use.config : { ...use.config, brokers: [...brokers] };
      await checkCluster({ ...use, config }, instances, diagnoses);
    }
  }
  return diagnoses.diagnosis();
}
