/** What is asked. */
export type KafkaProbe = 'readiness' | 'liveness' | 'startup';

/** Options of {@link KafkaHealthIndicator.isHealthy}. */
export interface KafkaHealthOptions {
  /**
   * `readiness`: consumers have joined their groups, and a broker answers. `liveness`: none has ended for good; an absent broker is no
   * reason. `startup`: all have joined once. Default: `readiness`.
   */
  probe?: KafkaProbe;
  /** Messages that may wait for one consumer, over all of its partitions; for `readiness`. Default: any number. */
  maxLag?: number;
  /**
   * How long, in milliseconds, something may wait in a partition of which nothing is handled; for `readiness` and `liveness`. Known as
   * finely as probes come, or as `consumer.stallTimeout` looks. Default: for ever.
   */
  maxStall?: number;
  /** Whether each consumer has to have a partition; for `readiness`. Default: `false`. */
  requireAssignment?: boolean;
  /** How long a broker has to answer, in milliseconds; for `readiness`. Default: `1000`. */
  timeout?: number;
  /** Only clients of these consumer groups, and the producers. Default: all. */
  groups?: readonly string[];
}

const DEFAULT_TIMEOUT = 1000;

/** The options of a probe, filled in. */
export interface CheckedHealthOptions extends KafkaHealthOptions {
  readonly probe: KafkaProbe;
  readonly timeout: number;
}

const PROBES: readonly string[] = ['readiness', 'liveness', 'startup'] satisfies KafkaProbe[];
/** The probes that each of the others is for. */
const FOR: Readonly<Record<Exclude<keyof KafkaHealthOptions, 'probe'>, readonly KafkaProbe[]>> = {
  maxLag: ['readiness'],
  maxStall: ['readiness', 'liveness'],
  requireAssignment: ['readiness'],
  timeout: ['readiness'],
  groups: ['readiness', 'liveness', 'startup'],
};
const NUMBERS: ReadonlySet<string> = new Set(['maxLag', 'maxStall', 'timeout']);

/** Checks the options: a probe that silently looks at something else is worse than none. */
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
