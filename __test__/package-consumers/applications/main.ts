// An application: a server and a client. It ends by itself once both are closed.
import { scenario } from './scenario.js';

async function main(prefix: string): Promise<void> {
  const facts = await scenario(prefix);
  process.stdout.write(`${JSON.stringify(facts)}\n`);
}

void main(process.env['PREFIX'] as string);
