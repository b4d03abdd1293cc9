/** The kind of probe. */
export type KafkaProbe = 'readiness' | 'liveness' | 'startup';

/** Options of {@link KafkaHealthIndicator.isHealthy}. */
export interface KafkaHealthOptions {
  /**
   * `readiness`: consumers have joined their groups, and a broker answers. `liveness`: no client has failed for good;
   * unreachable brokers do not count. `startup`: all consumers have joined once. Servers, clients, consumers and producers count from
   * the call of `listen()`, `connect()` or `run()` on; one that has failed to start is not ready until it has started after all, or is
   * closed. Default: `readiness`.
   */
  probe?: KafkaProbe;
  /** Largest lag of a consumer, in messages, over all of its partitions; for `readiness`. Default: any number. */
  maxLag?: number;
  /**
   * How long a partition may be stalled, in milliseconds: messages wait and none is handled. For `readiness` and
   * `liveness`. As precise as the interval of the probes, or of `consumer.stallTimeout`. Default: no limit.
   */
  maxStall?: number;
  /** Whether each consumer must have a partition; for `readiness`. Default: `false`. */
  requireAssignment?: boolean;
  /** Time limit for a broker's answer, in milliseconds; for `readiness`. Default: `1000`. */
  timeout?: number;
  /** Check only clients of these consumer groups, and the producers; a group that no client has is down. Default: all. */
  groups?: readonly string[];
}

const DEFAULT_TIMEOUT = 1000;

/** The options of a probe with their defaults. */
export interface CheckedHealthOptions extends KafkaHealthOptions {
  readonly probe: KafkaProbe;
  readonly timeout: number;
}

const PROBES: readonly string[] = ['readiness', 'liveness', 'startup'] satisfies KafkaProbe[];
/** The probes that each option is for. */
const FOR: Readonly<Record<Exclude<keyof KafkaHealthOptions, 'probe'>, readonly KafkaProbe[]>> = {
  maxLag: ['readiness'],
  maxStall: ['readiness', 'liveness'],
  requireAssignment: ['readiness'],
  timeout: ['readiness'],
  groups: ['readiness', 'liveness', 'startup'],
};
const NUMBERS: ReadonlySet<string> = new Set(['maxLag', 'maxStall', 'timeout']);

/** Checks the options: a probe that silently checks something else is worse than none. */
export function checkHealthOptions(options: KafkaHealthOptions): CheckedHealthOptions {
  const { probe = 'readiness' } = options;
  if (!PROBES.includes(probe)) {
    throw new TypeError(
      `Option probe of isHealthy() must be one of ${PROBES.join(', ')}; received ${String(probe)}`,
    );
  }
  for (const [name, value] of Object.entries(options)) {
    if (name === 'probe' || value === undefined) continue;
    if (!Object.hasOwn(FOR, name)) {
      throw new TypeError(
        `isHealthy() has no option ${name}: there are probe, ${Object.keys(FOR).join(', ')}`,
      );
    }
    const probes = FOR[name as keyof typeof FOR];
    if (!probes.includes(probe)) {
      throw new TypeError(
        `Option ${name} of isHealthy() is for the probe ${probes.join(' or ')}, not for ${probe}`,
      );
    }
    if (NUMBERS.has(name) && !(typeof value === 'number' && value >= 0)) {
      throw new TypeError(
        `Option ${name} of isHealthy() must be a number, 0 or more; received ${String(value)}`,
      );
    }
  }
  const groups: unknown = options.groups;
  if (groups !== undefined && !Array.isArray(groups)) {
    throw new TypeError('Option groups of isHealthy() must be an array of group ids');
  }
  return { ...options, probe, timeout: options.timeout ?? DEFAULT_TIMEOUT };
}
