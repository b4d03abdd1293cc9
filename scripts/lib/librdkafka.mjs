// The crate rdkafka-sys with a newer librdkafka than it is published with, in target/rdkafka-sys, which Cargo.toml puts in
// its place ([patch.crates-io]).
//
// rdkafka-sys comes with librdkafka 2.12.1, and there is no newer one. So its sources are exchanged for those that
// Confluent publishes with its client for Node, and its build script, which knows how to build librdkafka on each system,
// does the rest. Both are taken through npm and cargo, which check them against digests that are kept here: the one below,
// and the lock file in scripts/librdkafka. docs/internal/librdkafka.md says how to go on to another version.

import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { digest, readIfThere, writeFile } from './files.mjs';
import { Failure, ROOT, run, say, since } from './process.mjs';

/** Where librdkafka's sources come from. */
const PACKAGE = {
  name: '@confluentinc/kafka-javascript@1.10.1',
  integrity:
    'sha512-KVePUBn21EqCVP9mfxzEuM3SYJHHEF7X+iiC2e43QQgDSyEaksInmCGooT3w5q+cNAdkSCrK71j0ICfqoSqZLw==',
  folder: 'package/deps/librdkafka',
};

/** What they are, which Cargo.lock says too. */
const VERSION = '2.15.1';

/** Names the crate whose copy is changed. */
const MANIFEST = 'scripts/librdkafka/Cargo.toml';

const CRATE = join(ROOT, 'target/rdkafka-sys');
const STAMP = join(CRATE, '.inputs');

/** Makes target/rdkafka-sys, unless it is there as this file says. Everything that calls cargo needs it. */
export async function prepareLibrdkafka() {
  const inputs = digest([relative(ROOT, fileURLToPath(import.meta.url)), dirname(MANIFEST)]);
  if (readIfThere(STAMP) === inputs) return;
  const start = performance.now();
  say(`librdkafka ${VERSION}: getting the sources …`);
  mkdirSync(dirname(CRATE), { recursive: true });
  const folder = mkdtempSync(`${CRATE}-`);
  try {
    await copyCrate(folder);
    await copyLibrdkafka(join(folder, 'librdkafka'));
    adaptBuild(folder);
    adaptBindings(folder);
    mendTopicsMadeAnew(folder);
    mendResponseNumbers(folder);
    mendBootstrap(folder);
    mendCoordinatorRequests(folder);
    writeFile(join(folder, basename(STAMP)), inputs);
    rmSync(CRATE, { recursive: true, force: true });
    renameSync(folder, CRATE);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  say(`librdkafka ${VERSION}: sources ready (${since(start)})`);
}

/** The crate without librdkafka, but for the files of the CMake build, which Confluent's package leaves out. */
async function copyCrate(folder) {
  const args = ['metadata', '--locked', '--format-version', '1', '--manifest-path', join(ROOT, MANIFEST)];
  const { code, stdout, output } = await run('cargo', args);
  if (code !== 0) throw new Failure(`the sources of rdkafka-sys cannot be had:\n${output}`);
  const found = JSON.parse(stdout).packages.find(({ name }) => name === 'rdkafka-sys');
  const crate = dirname(found.manifest_path);
  const left = join(crate, 'librdkafka');
  const kept = join(left, 'packaging/cmake');
  const copies = (path) =>
    !path.startsWith(join(left, '/')) || path.startsWith(kept) || kept.startsWith(path);
  cpSync(crate, folder, { recursive: true, preserveTimestamps: true, filter: copies });
}

async function copyLibrdkafka(folder) {
  const unpacked = mkdtempSync(join(tmpdir(), 'librdkafka-'));
  try {
    // Nothing of the package is run: npm only fetches it, from where .npmrc says.
    const pack = [
      'pack',
      PACKAGE.name,
      '--ignore-scripts',
      '--loglevel=error',
      '--pack-destination',
      unpacked,
    ];
    const packed = await run('npm', pack);
    const archive = readdirSync(unpacked).find((name) => name.endsWith('.tgz'));
    if (packed.code !== 0 || !archive)
      throw new Failure(
        `${PACKAGE.name}, which has librdkafka's sources, cannot be had from npm:\n${packed.output}`,
      );
    const content = readFileSync(join(unpacked, archive));
    const found = `sha512-${createHash('sha512').update(content).digest('base64')}`;
    if (found !== PACKAGE.integrity)
      throw new Failure(
        `${PACKAGE.name} is not what was reviewed: it is ${found}, and not ${PACKAGE.integrity}`,
      );
    const tar = await run('tar', ['-xzf', archive, PACKAGE.folder], { cwd: unpacked });
    if (tar.code !== 0) throw new Failure(`tar cannot unpack ${PACKAGE.name}:\n${tar.output}`);
    cpSync(join(unpacked, PACKAGE.folder), folder, { recursive: true, preserveTimestamps: true });
  } finally {
    rmSync(unpacked, { recursive: true, force: true });
  }
}

/** The version by which cargo and the build know it, and what the CMake build of 2.12.1 does not tell the sources. */
function adaptBuild(folder) {
  edit(join(folder, 'Cargo.toml'), /^version = "([\d.]+)\+[\d.]+"$/m, `version = "$1+${VERSION}"`);
  for (const bits of [32, 64]) {
    // As in librdkafka's own CMake build from 2.15.0 on: without it there is no exchange of atomics.
    const known = `HAVE_ATOMICS_${bits}`;
    const atomic = `${known}_ATOMIC (${known} && !${known}_SYNC)`;
    const line = `#cmakedefine01 ${known}_SYNC\n`;
    edit(join(folder, 'librdkafka/packaging/cmake/config.h.in'), line, `${line}#define ${atomic}\n`);
  }
  // The script builds in a copy, which it makes only once: changed sources would never be built.
  const once = 'if !Path::new(&out_dir).join("LICENSE").exists() {\n';
  edit(join(folder, 'build.rs'), once, '{\n        run_command_or_fail(".", "rm", &["-rf", &out_dir]);\n');
}

/**
 * Gives the bindings the error codes of the new header, and all others that a broker can answer with: librdkafka hands
 * them on as they are, and a Rust enum without the number it is given is undefined behaviour.
 */
function adaptBindings(folder) {
  const header = readFileSync(join(folder, 'librdkafka/src/rdkafka.h'), 'utf8');
  const version = /^#define RD_KAFKA_VERSION (0x[\da-f]{8})$/m.exec(header)?.[1] ?? 'none';
  const [major, minor, patch] = VERSION.split('.').map(Number);
  if (Number(version) !== ((major << 24) | (minor << 16) | (patch << 8) | 0xff))
    throw new Failure(`${PACKAGE.name} has librdkafka ${version}, and not ${VERSION}`);

  const bindings = join(folder, 'src/bindings.rs');
  edit(bindings, /(const RD_KAFKA_VERSION: i32 =) \d+;/, `$1 ${Number(version)};`);
  const codes = readFileSync(bindings, 'utf8').matchAll(/^ {4}(RD_KAFKA_RESP_ERR_\w+) = (-?\d+),$/gm);
  const known = new Set([...codes].map(([, name, code]) => (name.endsWith('_END_ALL') ? NaN : Number(code))));
  const named = new Map(
    [...header.matchAll(/^ {8}(RD_KAFKA_RESP_ERR_\w+) = (-?\d+),$/gm)].map(([, name, code]) => [
      Number(code),
      name,
    ]),
  );
  const added = [];
  for (let code = -200; code <= 255; code += 1) {
    const name = named.get(code) ?? `RD_KAFKA_RESP_ERR_${code < 0 ? '_' : ''}CODE_${Math.abs(code)}`;
    if (!known.has(code)) added.push(`    ${name} = ${code},\n`);
  }
  // The end is a code as well, but one that nothing answers with.
  edit(bindings, /^( {4}RD_KAFKA_RESP_ERR_END_ALL) = \d+,$/m, `${added.join('')}$1 = 256,`);
  const last = '        RD_KAFKA_RESP_ERR_REBOOTSTRAP_REQUIRED => RebootstrapRequired,\n';
  edit(join(folder, 'src/helpers.rs'), last, `${last}        _ => Unknown,\n`);
}

/**
 * A topic that is deleted and made anew is another one of the same name (KIP-516). librdkafka notices, and goes on as if it
 * were the old one (its own comment says so). Then what brokers say of a partition counts as outdated until it has had
 * as many leaders again as the old topic's, and nobody reads it; and records below the old position are passed over. So
 * the epochs are forgotten and the position is given up, with an error that names the beginning as the place to go on.
 */
function mendTopicsMadeAnew(folder) {
  const line = '                        rkt->rkt_topic_id = mdit->topic_id;\n';
  const mend = `                        for (j = 0; !is_new && j < rkt->rkt_partition_cnt; j++) {
                                rd_kafka_toppar_t *rktp = rkt->rkt_p[j];
                                rd_kafka_toppar_lock(rktp);
                                rktp->rktp_leader_epoch = -1;
                                if (rk->rk_type == RD_KAFKA_CONSUMER &&
                                    (rktp->rktp_fetch_state ==
                                         RD_KAFKA_TOPPAR_FETCH_ACTIVE ||
                                     rktp->rktp_fetch_state ==
                                         RD_KAFKA_TOPPAR_FETCH_VALIDATE_EPOCH_WAIT))
                                        rd_kafka_offset_reset(
                                            rktp, RD_KAFKA_NODEID_UA,
                                            RD_KAFKA_FETCH_POS(
                                                RD_KAFKA_OFFSET_BEGINNING, -1),
                                            RD_KAFKA_RESP_ERR__LOG_TRUNCATION,
                                            "the topic was made anew");
                                rd_kafka_toppar_unlock(rktp);
                        }
`;
  const before = `                        rd_bool_t is_new =
                            RD_KAFKA_UUID_IS_ZERO(rkt->rkt_topic_id);
`;
  edit(join(folder, 'librdkafka/src/rdkafka_topic.c'), line, `${before}${line}${mend}`);
}

/** Interceptors are told the number of the request that a response belongs to, instead of a field that is never set. */
function mendResponseNumbers(folder) {
  const told = 'request->rkbuf_reqhdr.ApiVersion, request->';
  const file = join(folder, 'librdkafka/src/rdkafka_buf.c');
  edit(file, `${told}rkbuf_reshdr.CorrId,`, `${told}rkbuf_corrid,`);
}

/**
 * A client gives up its connection to a bootstrap address as soon as that has told which brokers there are. Where none of them
 * can be reached by the address it advertises, whether the application's first request was answered before that was a race.
 * The connection is kept until one of them is up, which then is asked which brokers there are: with that answer it goes.
 * Until then, as with kafkajs, what the bootstrap address can answer is answered.
 */
function mendBootstrap(folder) {
  const source = join(folder, 'librdkafka/src');
  const learned = `                if (rkb->rkb_source == RD_KAFKA_LEARNED) {
                        has_learned_brokers = rd_true;
`;
  const reached = learned.replace('LEARNED)', 'LEARNED &&\n                    rd_kafka_broker_is_up(rkb))');
  edit(join(source, 'rdkafka_metadata.c'), learned, reached);
  const none = `                NULL, rkb, rd_false /*dont force*/, "connected") ==
            RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
`;
  const always = none.replace('TOPIC)', 'TOPIC ||\n            rkb->rkb_source == RD_KAFKA_LEARNED)');
  edit(join(source, 'rdkafka_broker.c'), none, always);
}

/**
 * What is to be sent to a group's coordinator while that is away (the offsets of a transaction, some calls of admin clients) is looked
 * at again only when a broker's connection comes or goes, and its time-out is written down and never read. Where nothing comes or
 * goes any more it waits for ever: the coordinator has moved while nobody was asked, or those who were asked did not know yet. Now
 * it is looked at every second, asks anew, and fails when its time is over.
 */
function mendCoordinatorRequests(folder) {
  const source = join(folder, 'librdkafka/src');
  const delay = '        rd_kafka_timer_t creq_tmr;      /**< Delay timer. */\n';
  const look = '        rd_kafka_timer_t creq_look_tmr; /**< Looks at it and at the time. */\n';
  edit(join(source, 'rdkafka_coord.h'), delay, `${delay}${look}`);

  const file = join(source, 'rdkafka_coord.c');
  const delayed = `static void rd_kafka_coord_req_tmr_cb(rd_kafka_timers_t *rkts, void *arg) {
        rd_kafka_coord_req_t *creq = arg;

        rd_kafka_coord_req_fsm(rkts->rkts_rk, creq);
}
`;
  const looked = `
static void rd_kafka_coord_req_fail(rd_kafka_t *rk,
                                    rd_kafka_coord_req_t *creq,
                                    rd_kafka_resp_err_t err);

static void rd_kafka_coord_req_look_tmr_cb(rd_kafka_timers_t *rkts, void *arg);

static void rd_kafka_coord_req_look_later(rd_kafka_t *rk,
                                          rd_kafka_coord_req_t *creq) {
        int remains_ms = rd_timeout_remains(creq->creq_ts_timeout);
        int look_ms    = remains_ms >= 0 && remains_ms < 1000 ? remains_ms : 1000;

        rd_kafka_timer_start_oneshot(&rk->rk_timers, &creq->creq_look_tmr,
                                     rd_true, 1000 * RD_MAX(look_ms, 1),
                                     rd_kafka_coord_req_look_tmr_cb, creq);
}

static void rd_kafka_coord_req_look_tmr_cb(rd_kafka_timers_t *rkts, void *arg) {
        rd_kafka_coord_req_t *creq = arg;

        if (rd_timeout_expired(rd_timeout_remains(creq->creq_ts_timeout))) {
                rd_kafka_coord_req_fail(rkts->rkts_rk, creq,
                                        RD_KAFKA_RESP_ERR__TIMED_OUT);
                return;
        }
        rd_kafka_coord_req_look_later(rkts->rkts_rk, creq);
        rd_kafka_coord_req_fsm(rkts->rkts_rk, creq);
}
`;
  edit(file, delayed, `${delayed}${looked}`);
  const begun = '        TAILQ_INSERT_TAIL(&rk->rk_coord_reqs, creq, creq_link);\n';
  edit(file, begun, `${begun}\n        rd_kafka_coord_req_look_later(rk, creq);\n`);
  const stopped = `                rd_kafka_timer_stop(&rk->rk_timers, &creq->creq_tmr,
                                    RD_DO_LOCK);
`;
  edit(file, stopped, `${stopped}${stopped.replace('creq_tmr', 'creq_look_tmr')}`);
  // Where it has been tried often enough nobody comes back to it with what it holds.
  const retried = `                rd_kafka_buf_retry(rkb, request);
                return; /* Keep refcnt from req_fsm() and retry */
`;
  const tried = `                if (rd_kafka_buf_retry(rkb, request))
                        return; /* Keep refcnt from req_fsm() and retry */
`;
  edit(file, retried, tried);
}

/** Changes one place of a file, which has to be there. */
function edit(file, what, replacement) {
  const text = readFileSync(file, 'utf8');
  const changed = text.replace(what, replacement);
  if (changed === text) throw new Failure(`${file} has no ${what}: change scripts/lib/librdkafka.mjs`);
  writeFile(file, changed);
}
