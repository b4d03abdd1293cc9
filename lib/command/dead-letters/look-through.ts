import { Interruption } from './interruption.js';
import { readLetters, type Batch } from './read.js';
import { kafkaOf, type Task } from './task.js';

/**
 * Reads the letters of a topic and leaves nothing of it behind, until all are read, `look` ends it, or a signal comes; resolves to
 * whether it was a signal.
 */
export async function lookThrough(
  task: Task,
  look: (batch: Batch, interruption: Interruption) => void,
): Promise<boolean> {
  const interruption = new Interruption();
  try {
    await readLetters({
      kafka: kafkaOf(task),
      topic: task.topic,
      signal: interruption.signal,
      handle: async (batch) => look(batch, interruption),
    });
  } finally {
    interruption.close();
  }
  return interruption.isInterrupted;
}
