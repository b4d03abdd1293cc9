import { join } from 'node:path';
import { edit } from './edit.mjs';

/**
 * With `auto.offset.reset=error`, that the log does not have the position is an error in the partition's queue. It had the
 * version 0, which no seek and no later assignment outdates: what came after it got the error of the position
 * before. The broker's thread hands the reset to the main thread, where a seek may have come first. Now both are of
 * the version of the fetch that has failed.
 */
export function mendOffsetResets(source) {
  const file = join(source, 'rdkafka_offset.c');
  const error = 'RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, 0, NULL, rktp,';
  const versioned = `RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET,
                            rktp->rktp_op_version, NULL, rktp,`;
  edit(file, error, versioned);
  edit(file, error, versioned);

  const handed = '                rko->rko_rktp                     = rd_kafka_toppar_keep(rktp);\n';
  const from = '                rko->rko_version                  = rktp->rktp_fetch_version;\n';
  edit(file, handed, `${handed}${from}`);
  const taken = `        rd_kafka_toppar_lock(rktp);
        rd_kafka_offset_reset(rktp, rko->rko_u.offset_reset.broker_id,
`;
  const outdated = `        if (rko->rko_version < rktp->rktp_op_version) {
                /* It was sought, stopped or paused since: it is fetched anew. */
                rd_kafka_toppar_unlock(rktp);
                return RD_KAFKA_OP_RES_HANDLED;
        }
`;
  edit(file, taken, taken.replace('(rktp);\n', `(rktp);\n${outdated}`));
}

/**
 * Where a log was cut off behind the position, the broker says at which offset it still is the one that was read, and
 * librdkafka goes on there; but with `auto.offset.reset=error` only the error's text had that offset.
 */
export function mendTruncations(source) {
  const reset = `                            RD_KAFKA_FETCH_POS(RD_KAFKA_OFFSET_INVALID,
                                               rktp->rktp_leader_epoch),
                            RD_KAFKA_RESP_ERR__LOG_TRUNCATION,
`;
  const told = reset
    .replace('RD_KAFKA_OFFSET_INVALID', 'end_offset')
    .replace('rktp->rktp_leader_epoch', 'end_offset_leader_epoch');
  edit(join(source, 'rdkafka_offset.c'), reset, told);
}
