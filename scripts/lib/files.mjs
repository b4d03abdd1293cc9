// Small helpers on files: digests of inputs, and outputs that are whole or absent.

import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { ROOT } from './process.mjs';

/** A digest of files, of all files below folders, and of other texts that affect the output. */
export function digest(paths, ...texts) {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(`${text}\0`);
  for (const path of paths) {
    for (const file of filesBelow(join(ROOT, path))) {
      hash
        .update(`${relative(ROOT, file)}\0`)
        .update(readFileSync(file))
        .update('\0');
    }
  }
  return hash.digest('hex');
}

function filesBelow(path) {
  if (!existsSync(path)) return [];
  try {
    return readdirSync(path, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
      .toSorted();
  } catch (error) {
    if (error.code === 'ENOTDIR') return [path];
    throw error;
  }
}

/** The text of a file, or nothing if there is none. */
export function readIfThere(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

/** Writes a small file, with its folder. */
export function writeFile(file, text) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/**
 * Copies a file unless the copy is equal. By a rename, because a process that runs the old binary has it mapped:
 * written over, it would crash.
 */
export function publish(from, to) {
  if (existsSync(to) && readFileSync(from).equals(readFileSync(to))) return false;
  const incoming = `${to}.${process.pid}`;
  copyFileSync(from, incoming);
  renameSync(incoming, to);
  return true;
}
