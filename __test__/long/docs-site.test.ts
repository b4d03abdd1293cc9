import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

// What is looked at is in docs-site/check.mjs: the browser is driven by a package of the site, which is not installed for anything else.
test('the site of the guide is whole in a browser', () => {
  const said = execFileSync(process.execPath, ['scripts/docs-site.mjs', '--check'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  expect(said.match(/✓/g)).toHaveLength(5);
});
