// Counts the members of exported types, and those with a doc comment. Fails if one has none.
//
//   node scripts/documented.mjs

import { publicMembers } from './lib/public-members.mjs';
import { Failure, main, say } from './lib/process.mjs';

await main(import.meta.url, async () => {
  const members = publicMembers();
  const silent = members.filter(({ hasText }) => !hasText);
  if (silent.length > 0) {
    const names = silent.map(({ file, name }) => `${file}: ${name}`);
    throw new Failure(
      `${silent.length} of ${members.length} public members have no text:\n${names.join('\n')}`,
    );
  }
  say(`all ${members.length} public members have a text`);
});
