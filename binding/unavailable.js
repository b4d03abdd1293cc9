'use strict';

/** The systems that have a package with a binary, by the end of its name. */
const SYSTEMS = [
  'linux-x64-gnu',
  'linux-arm64-gnu',
  'linux-x64-musl',
  'linux-arm64-musl',
  'darwin-x64',
  'darwin-arm64',
  'win32-x64-msvc',
];

/** The oldest glibc that the binaries for Linux load with, which is also the oldest one of Node 20's own. */
const GLIBC = '2.28';

const PACKAGE = 'nestjs-kafka-native';
/** The loader keeps of each attempt its text alone. All that are not of this kind have found a file and could not load it. */
const NOT_FOUND = /^(Cannot find (module|native binding)|Failed to load native binding)/;
const FROM_SOURCE = 'It can be built from the sources; CONTRIBUTING.md in the repository says with what.';

/**
 * The error of a binary that cannot be loaded: which system this is, what is wrong, and what to do.
 *
 * @param {Error} cause What the generated loader threw, with the errors of each attempt as a chain of causes.
 * @param {{ platform: string, arch: string, glibc?: string }} system Default: this one.
 * @param {(name: string) => boolean} isInstalled Whether a package is there. Default: asks Node.
 * @param {boolean} isBundled Whether this code has become a part of a bundle. Default: looks where it is.
 */
function unavailable(cause, system = thisSystem(), isInstalled = resolves, isBundled = isInBundle()) {
  const attempts = causes(cause);
  const error = new Error(
    `${PACKAGE}: ${isBundled ? describeBundle(attempts) : describe(attempts, system, isInstalled)}`,
  );
  error.code = 'ERR_KAFKA_BINARY_UNAVAILABLE';
  error.cause = cause;
  return error;
}

function describe(attempts, system, isInstalled) {
  const name = nameOf(system);
  const suffix = suffixOf(system);
  if (!SYSTEMS.includes(suffix)) {
    return `there is no binary for ${name}, only for ${SYSTEMS.join(', ')}. ${FROM_SOURCE}`;
  }
  const refused = attempts.find(({ message }) => !NOT_FOUND.test(message));
  const tooOld = /version `GLIBC_([\d.]+)' not found/.exec(refused?.message ?? '');
  if (tooOld) {
    return (
      `the glibc of this system (${system.glibc}) is too old for the binary, which needs GLIBC_${tooOld[1]}; published ones need ` +
      `${GLIBC} or newer. Use a newer system or base image (Debian 10, Ubuntu 20.04, RHEL 8 and later have it). ${FROM_SOURCE}`
    );
  }
  if (refused) return `the binary for ${name} is installed but does not load: ${refused.message}`;
  const wanted = `${PACKAGE}-${suffix}`;
  if (isInstalled(wanted)) {
    return `${wanted} is installed, but the binary is not in it. Install it again.`;
  }
  const others = SYSTEMS.filter((other) => isInstalled(`${PACKAGE}-${other}`));
  const why =
    others.length > 0
      ? `node_modules holds the binary for ${others.join(', ')}: it was installed on another system. Install on the system that ` +
        'runs the application (in the image, not beside it)'
      : 'It is an optional dependency of the package: install without --omit=optional (--no-optional), and with a lock file ' +
        'that has the packages of all systems';
  return `the package with the binary for ${name}, ${wanted}, is not installed. ${why}.`;
}

/** A bundler cannot follow the loader to its binary, which is a file of its own whatever the bundle is. */
function describeBundle([{ message }]) {
  return (
    `the package is part of a bundle, from where its binary cannot be loaded. Leave ${PACKAGE} out of the bundle, as an external package ` +
    `(esbuild --external:${PACKAGE}; externals of webpack, external of Rollup, -e of ncc), and install it where the bundle runs. ` +
    `docs/bundlers.md has recipes. The loader said: ${message}`
  );
}

/** Whether this file is elsewhere than the package has it: bundlers put it into theirs, with their name or without any. */
function isInBundle() {
  return typeof __filename === 'undefined' || !/[\\/]binding[\\/]unavailable\.js$/.test(__filename);
}

/** An error and its causes. */
function causes(error) {
  const chain = [];
  for (let next = error; next && !chain.includes(next); next = next.cause) chain.push(next);
  return chain;
}

/** As napi names it. */
function suffixOf({ platform, arch, glibc }) {
  if (platform === 'linux') return `linux-${arch}-${glibc ? 'gnu' : 'musl'}`;
  return platform === 'win32' ? `win32-${arch}-msvc` : `${platform}-${arch}`;
}

function nameOf({ platform, arch, glibc }) {
  if (platform !== 'linux') return `${platform} ${arch}`;
  return `${platform} ${arch} with ${glibc ? `glibc ${glibc}` : 'musl'}`;
}

function thisSystem() {
  const { platform, arch, report } = process;
  // Nothing of the network: the report would look up the names of its peers.
  if (report) report.excludeNetwork = true;
  const glibc = platform === 'linux' ? report?.getReport().header.glibcVersionRuntime : undefined;
  return { platform, arch, glibc };
}

function resolves(name) {
  try {
    require.resolve(`${name}/package.json`);
    return true;
  } catch {
    return false;
  }
}

module.exports = { GLIBC, SYSTEMS, unavailable };
