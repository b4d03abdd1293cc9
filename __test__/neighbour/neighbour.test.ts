import { afterAll, describe, expect, test } from 'vitest';
import { closeBroker } from '../harness/broker';
import { cycles, runProgram } from './program';

// What shares a process with this package, or makes others of that process, is not disturbed by it.

afterAll(closeBroker);

const OF_ITSELF = { code: 0, signal: null, stderr: '' };

describe('in the middle of traffic', () => {
  test.each(['exit', 'exit-closing', 'exit-starting'])('%s: process.exit() ends the process', async (way) => {
    expect(await runProgram('ends', [way])).toMatchObject({ code: 7, signal: null, stderr: '' });
  });

  test.each(['uncaught', 'unhandled'])('%s error of a handler: ends it as Node does', async (way) => {
    const { code, signal, stderr } = await runProgram('ends', [way]);
    expect({ code, signal }).toEqual({ code: 1, signal: null });
    expect(stderr).toContain('Error: of the handler');
  });

  test.each(['caught', 'subscriber'])('%s error: an application that catches it goes on', async (way) => {
    expect(await runProgram('ends', [way])).toEqual({
      ...OF_ITSELF,
      report: { errors: ['of the handler'], answer: 'after' },
    });
  });
});

describe('processes and threads', () => {
  const instances = ['', '.0', '.1'];

  test.each(['fork', 'cluster'])('%s: children have connections of their own', async (way) => {
    const report = { answer: 'child', isWorker: way === 'cluster' };
    expect(await runProgram('children', [way], { instances })).toEqual({
      ...OF_ITSELF,
      report: {
        own: 'parent',
        reports: [report, report],
        exits: [
          [0, null],
          [0, null],
        ],
      },
    });
  });

  test('two worker threads at once, ended in the middle of their traffic', async () => {
    expect(await runProgram('threads', [], { instances })).toEqual({
      ...OF_ITSELF,
      report: {
        answer: 'main',
        exits: [
          [1, 1],
          [1, 1],
        ],
      },
    });
  });
});

test.runIf(process.platform === 'linux')(
  'connecting and closing leaves nothing behind',
  { timeout: 200_000 },
  async () => {
    const { outcome, first, last } = await cycles(16, 4, 180_000);
    expect(outcome).toMatchObject(OF_ITSELF);
    expect([first.clients, last.clients]).toEqual([0, 0]);
    // The one that is always there.
    expect(outcome.report.calls).toBe(1);
    expect(last.descriptors).toBeLessThanOrEqual(first.descriptors);
    expect(last.threads).toBeLessThanOrEqual(first.threads);
    expect(last.resources, `${last.names.join()} after ${first.names.join()}`).toBeLessThanOrEqual(
      first.resources,
    );
  },
);
