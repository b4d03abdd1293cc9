// Writes THIRD-PARTY-NOTICES.md: the licences of all that the published binary links, for every platform it is
// published for. `--check` only says whether the file is current.
//
// The texts come from the crates' own sources in cargo's folder.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { readIfThere, writeFile } from './lib/files.mjs';
import { prepareLibrdkafka } from './lib/librdkafka.mjs';
import { Failure, main, ROOT, run } from './lib/process.mjs';

const FILE = join(ROOT, 'THIRD-PARTY-NOTICES.md');

/** C libraries inside crates: crate, name, licence, and where its text is in the crate. */
const BUNDLED = [
  {
    crate: 'rdkafka-sys',
    name: 'librdkafka, with the lz4, snappy, cJSON, nanopb and other sources it contains',
    licence: 'BSD-2-Clause, and those named in the text',
    text: 'librdkafka/LICENSES.txt',
  },
  { crate: 'openssl-src', name: 'OpenSSL', licence: 'Apache-2.0', text: 'openssl/LICENSE.txt' },
  { crate: 'libz-sys', name: 'zlib', licence: 'Zlib', text: 'src/zlib/LICENSE' },
  { crate: 'zstd-sys', name: 'Zstandard', licence: 'BSD-3-Clause', text: 'zstd/LICENSE' },
];

const MIT = `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;

const STANDARD_LIBRARY = {
  title: 'The Rust standard library',
  licence: 'MIT OR Apache-2.0',
  text: `Copyright (c) The Rust Project Contributors\n\n${MIT}`,
};

await main(import.meta.url, async (args) => {
  const { values } = parseArgs({ args, options: { check: { type: 'boolean', default: false } } });
  const text = notices(await metadata());
  const isCurrent = readIfThere(FILE) === text;
  if (values.check && !isCurrent) {
    throw new Failure('THIRD-PARTY-NOTICES.md is not current: run node scripts/third-party-notices.mjs');
  }
  if (!isCurrent) writeFile(FILE, text);
});

async function metadata() {
  await prepareLibrdkafka();
  const { napi } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const platforms = napi.targets.flatMap((target) => ['--filter-platform', target]);
  const { code, stdout, output } = await run('cargo', [
    'metadata',
    '--locked',
    '--format-version',
    '1',
    ...platforms,
  ]);
  if (code !== 0) throw new Failure(`cargo metadata failed:\n${output}`);
  return JSON.parse(stdout);
}

function notices({ packages, workspace_members: own, resolve }) {
  const linked = linkedPackages(packages, own, resolve);
  const libraries = BUNDLED.map((library) => bundledSection(library, packages));
  const groups = new Map();
  for (const section of [...linked.flatMap(crateSections), ...libraries, STANDARD_LIBRARY]) {
    const same = section.text.replaceAll(/\s+/g, ' ').trim();
    groups.set(same, [...(groups.get(same) ?? []), section]);
  }
  return render([...groups.values()]);
}

/** The packages whose code is in the binary: normal dependencies, but not those of proc macros. */
function linkedPackages(packages, own, { nodes, root }) {
  const byId = new Map(packages.map((each) => [each.id, each]));
  const node = new Map(nodes.map((each) => [each.id, each]));
  const isMacro = (id) => byId.get(id).targets.some(({ kind }) => kind.includes('proc-macro'));
  const reached = new Set();
  const visit = (id) => {
    if (reached.has(id) || isMacro(id)) return;
    reached.add(id);
    for (const { pkg, dep_kinds } of node.get(id).deps) {
      if (dep_kinds.some(({ kind }) => kind === null)) visit(pkg);
    }
  };
  visit(root);
  // Those of this repository are not a third party's.
  return [...reached].map((id) => byId.get(id)).filter(({ id }) => !own.includes(id));
}

/** One section per licence text of a crate; of several licences to choose from, MIT is chosen. */
function crateSections(crate) {
  const { name, version, license: licence, authors, manifest_path: manifest } = crate;
  const folder = dirname(manifest);
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|copying|unlicense)/i.test(file));
  const offersMit = /\bMIT\b/.test(licence) && /\/|\bOR\b/.test(licence);
  const mit = files.filter((file) => /mit/i.test(file));
  const chosen = offersMit && mit.length > 0 ? mit : files;
  const title = `${name} ${version}`;
  if (chosen.length > 0) {
    return chosen.map((file) => ({ title, licence, text: readFileSync(join(folder, file), 'utf8') }));
  }
  if (!/\bMIT\b/.test(licence))
    throw new Failure(`${title} (${licence}) carries no licence text: add it to the script`);
  // Some crates leave the file in their repository and publish only the identifier.
  const holders =
    authors.map((author) => author.replace(/\s*<.*>/, '')).join(', ') || `the authors of ${name}`;
  return [{ title, licence, text: `Copyright (c) ${holders}\n\n${MIT}` }];
}

function bundledSection({ crate, name, licence, text }, packages) {
  const found = packages.find((each) => each.name === crate);
  if (!found)
    throw new Failure(`${crate} is no dependency any more: change the list of C libraries in the script`);
  const file = join(dirname(found.manifest_path), text);
  if (!existsSync(file)) throw new Failure(`${crate} ${found.version} has no ${text}: change the script`);
  return { title: `${name} (in ${crate} ${found.version})`, licence, text: readFileSync(file, 'utf8') };
}

function render(groups) {
  const ordered = groups
    .map((group) => group.toSorted((a, b) => compare(a.title, b.title)))
    .toSorted(([a], [b]) => compare(a.title, b.title));
  const sections = ordered.map((group) => {
    const list = group.map(({ title, licence }) => `- ${title} (${licence})`).join('\n');
    const text = group[0].text
      .replaceAll('\r\n', '\n')
      .replaceAll(/[ \t]+$/gm, '')
      .replaceAll(/^\n+|\n+$/g, '');
    return `${list}\n\n\`\`\`text\n${text}\n\`\`\`\n`;
  });
  return `# Third-party notices

The native binary of nestjs-kafka-native links the following software. Of licences offered as alternatives, MIT is the
one used. Written by \`scripts/third-party-notices.mjs\`.

${sections.join('\n---\n\n')}`;
}

/** By code units: the same on every machine, whatever its locale. */
function compare(a, b) {
  return a < b ? -1 : Number(a > b);
}
