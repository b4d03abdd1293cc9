import diagnostics from 'node:diagnostics_channel';
import { afterEach } from 'vitest';

type Stage = 'start' | 'end' | 'asyncStart' | 'asyncEnd' | 'error';
type Context = any;

const undo: (() => void)[] = [];

afterEach(() => {
  for (const each of undo.splice(0)) each();
});

/** Subscribes to one of the package's tracing channels until the test ends; collects contexts as each stage names them. */
export class Recorded {
  readonly stages: [stage: Stage, context: Context][] = [];

  constructor(name: string, on: Partial<Record<Stage, (context: Context) => void>> = {}) {
    const channels = diagnostics.tracingChannel(`nestjs-kafka-native:${name}`);
    const subscriber = (stage: Stage) => (context: unknown) => {
      this.stages.push([stage, context]);
      on[stage]?.(context);
    };
    const handlers = {
      start: subscriber('start'),
      end: subscriber('end'),
      asyncStart: subscriber('asyncStart'),
      asyncEnd: subscriber('asyncEnd'),
      error: subscriber('error'),
    };
    channels.subscribe(handlers as never);
    undo.push(() => channels.unsubscribe(handlers as never));
  }

  /** The contexts that came to a stage. */
  at(stage: Stage): Context[] {
    return this.stages.filter(([name]) => name === stage).map(([, context]) => context);
  }

  /** The stages that a context went through. */
  of(context: Context): Stage[] {
    return this.stages.filter(([, one]) => one === context).map(([stage]) => stage);
  }
}

/** Subscribes to one of the package's plain channels until the test ends. */
export function notices(name: string): Context[] {
  const seen: Context[] = [];
  const listener = (message: unknown): void => void seen.push(message);
  diagnostics.subscribe(`nestjs-kafka-native:${name}`, listener);
  undo.push(() => void diagnostics.unsubscribe(`nestjs-kafka-native:${name}`, listener));
  return seen;
}

/** To be undone when the test ends. */
export function later(call: () => void): void {
  undo.push(call);
}
