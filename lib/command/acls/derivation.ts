import type { Application } from '../inspection/application.js';
import { partsOf, type ClusterPart } from './clusters.js';
import { accessRules, unknownRules, type AccessRule } from './rules.js';

/** The rules of one cluster. */
export interface ClusterRules {
  /** Its bootstrap brokers, as the application names them; empty where a function does. */
  readonly brokers: readonly string[];
  readonly rules: readonly AccessRule[];
  /** Rules that the user has to add. */
  readonly notes: readonly string[];
}

/** The result of `acls` in the application's process. */
export interface Derived {
  readonly clusters: readonly ClusterRules[];
  /** The place in `clusters` of the one that was asked for, or of the only one. */
  readonly chosen?: number;
}

interface DerivationOptions {
  /** Topics that the chosen cluster is sent to besides. */
  readonly produces: readonly string[];
  readonly creates: boolean;
  /** One of the brokers of the cluster that is asked for, or its number, from 1. */
  readonly cluster?: string;
}

/** Derives the rules, in the application's own process. */
export default function derive(application: Application, options: DerivationOptions): Promise<Derived> {
  return Promise.resolve(derived(application, options));
}

/** {@link derive}, at once. */
export function derived(
  application: Pick<Application, 'servers' | 'clients' | 'drivers'>,
  { produces, creates, cluster }: DerivationOptions,
): Derived {
  const found = partsOf(application);
  const parts: readonly ClusterPart[] =
    found.length > 0 ? found : [{ brokers: [], servers: [], clients: [], drivers: [] }];
  const asked =
    cluster === undefined
      ? parts.length - 1
      : parts.findIndex(({ brokers }, index) => brokers.includes(cluster) || String(index + 1) === cluster);
  const isChosen = parts[asked] !== undefined && (cluster !== undefined || parts.length === 1);
  return {
    clusters: parts.map((part, index) => ({
      brokers: part.brokers,
      rules: accessRules(part, { produces: isChosen && index === asked ? produces : [], creates }),
      notes: unknownRules(part),
    })),
    ...(isChosen && { chosen: asked }),
  };
}
