import { join } from 'node:path';
import { edit } from './edit.mjs';

/**
 * A record that an idempotent producer gives up, on any partition, leaves a gap in its numbers: librdkafka goes on with the next
 * epoch, on all partitions, and numbers what they have left anew. What had been sent before and lost its answer (its leader
 * is gone) was then sent again under numbers by which no broker can know it: it was there twice. Now a partition keeps its epoch
 * until all that it has sent is answered, as with Java's client, and goes on to the next one then. Only what a broker has
 * refused for its number is known not to be there, and free for the next epoch. For that a batch must stay what it was: where
 * the time of its first record is over while nobody knows whether it is there, it ends as a whole.
 */
export function mendEpochBumps(source) {
  countUnanswered(source);
  goOnWithAnotherId(source);

  const broker = join(source, 'rdkafka_broker.c');
  const documented = `/**
 * @brief Serve a toppar for producing.
`;
  const kept = `/**
 * @brief Whether the toppar is to go on with its own PID before it changes to
 *        the current one: what it has sent may be with a broker.
 *
 * @param unanswered from before the toppar's messages were moved to its xmitq
 *
 * @locks none
 * @locality toppar handler thread
 */
static rd_bool_t rd_kafka_toppar_keeps_pid(const rd_kafka_broker_t *rkb,
                                           const rd_kafka_toppar_t *rktp,
                                           const rd_kafka_pid_t pid,
                                           int unanswered) {
        const rd_kafka_msg_t *rkm;

        if (likely(rd_kafka_pid_eq(pid, rktp->rktp_eos.pid)) ||
            !rd_kafka_pid_valid(rktp->rktp_eos.pid) ||
            rd_kafka_is_transactional(rkb->rkb_rk))
                return rd_false;
        if (unanswered > 0)
                return rd_true;
        rkm = TAILQ_FIRST(&rktp->rktp_xmit_msgq.rkmq_msgs);
        return rkm && rkm->rkm_u.producer.last_msgid;
}


`;
  edit(broker, documented, `${kept}${documented}`);
  const parameters = `static int rd_kafka_toppar_producer_serve(rd_kafka_broker_t *rkb,
                                          rd_kafka_toppar_t *rktp,
                                          const rd_kafka_pid_t pid,
`;
  edit(broker, parameters, parameters.replace('const ', ''));
  const variables = `        rd_bool_t batch_ready     = rd_false;

        /* By limiting`;
  const more = `
        rd_bool_t keeps_pid       = rd_false;
        int unanswered = rd_atomic32_get(&rktp->rktp_eos.unanswered);
`;
  edit(broker, variables, variables.replace('\n', more));
  const purge = `                rd_bool_t did_purge = rd_false;

`;
  const keep = `                keeps_pid =
                    rd_kafka_toppar_keeps_pid(rkb, rktp, pid, unanswered);
                if (unlikely(keeps_pid))
                        pid = rktp->rktp_eos.pid;

`;
  edit(broker, purge, `${purge}${keep}`);
  const request = '                r = rd_kafka_ProduceRequest(rkb, rktp, pid, epoch_base_msgid);\n';
  const only = `                if (unlikely(keeps_pid)) {
                        /* What was not sent yet waits for the next epoch. */
                        rkm = TAILQ_FIRST(&rktp->rktp_xmit_msgq.rkmq_msgs);
                        if (!rkm || !rkm->rkm_u.producer.last_msgid)
                                break;
                }

`;
  edit(broker, request, `${only}${request}`);

  // A broker that refuses a batch for its number does not have it.
  const requests = join(source, 'rdkafka_request.c');
  const errors = `/**
 * @brief Error-handling for Idempotent Producer-specific Produce errors.
`;
  const freeing = `/**
 * @brief The messages of a batch are not with a broker: they may be sent in
 *        other batches, and with another PID.
 */
static void rd_kafka_msgbatch_free_msgs(rd_kafka_msgbatch_t *batch) {
        rd_kafka_msg_t *rkm;

        TAILQ_FOREACH(rkm, &batch->msgq.rkmq_msgs, rkm_link)
        rkm->rkm_u.producer.last_msgid = 0;
}


`;
  edit(requests, errors, `${freeing}${errors}`);
  const free = '                        rd_kafka_msgbatch_free_msgs(batch);\n';
  const skipped = '                            rk, perr->err, "skipped sequence numbers");\n';
  edit(requests, skipped, `${skipped}${free}`);
  const unknown = `                                                        "unknown producer id");

                        perr->incr_retry = 0;
`;
  edit(requests, unknown, `${unknown}${free}`);

  keepBatchesApart(source);

  const messages = join(source, 'rdkafka_msg.c');
  const count = `        int cnt = timedout->rkmq_msg_cnt;

        if (abs_next_timeout)
`;
  edit(messages, count, count.replace('\n\n', '\n        uint64_t last_msgid = 0;\n\n'));
  const inTime = `                if (likely(rkm->rkm_ts_timeout > now)) {
                        if (abs_next_timeout)
`;
  const alone = `now &&
                           (!last_msgid ||
                            rkm->rkm_u.producer.msgid > last_msgid)`;
  edit(messages, inTime, inTime.replace('now', alone));
  const first = `                if (!first)
                        first = rkm;
`;
  const whole = `
                /* A batch that may be with a broker ends as a whole. */
                if (unlikely(rkm->rkm_u.producer.last_msgid > last_msgid))
                        last_msgid = rkm->rkm_u.producer.last_msgid;
`;
  edit(messages, first, `${first}${whole}`);
}

/**
 * A partition's requests that are under way are no more before what they had is back in its queue, by another thread where its leader has
 * moved. So it is counted until that is done, as librdkafka counts for all partitions together.
 */
function countUnanswered(source) {
  const fields = `        } rktp_eos;
`;
  const field = `                rd_atomic32_t unanswered;  /**< Above 0 until all that was
                                            *   sent is answered, and what
                                            *   is to be sent again is back
                                            *   in the queue. */
`;
  edit(join(source, 'rdkafka_partition.h'), fields, `${field}${fields}`);
  const started = '        rd_atomic32_init(&rktp->rktp_msgs_inflight, 0);\n';
  const unanswered = started.replace('rktp_msgs_inflight', 'rktp_eos.unanswered');
  edit(join(source, 'rdkafka_partition.c'), started, `${started}${unanswered}`);

  const idempotence = join(source, 'rdkafka_idempotence.c');
  const added = '        rd_atomic32_add(&rk->rk_eos.inflight_toppar_cnt, 1);\n';
  edit(idempotence, added, `${added}        rd_atomic32_add(&rktp->rktp_eos.unanswered, 1);\n`);
  const removed = '        int r = rd_atomic32_sub(&rk->rk_eos.inflight_toppar_cnt, 1);\n';
  // Before the current epoch can change, which is the first that others see of it.
  const own = `        int r;

        rd_atomic32_sub(&rktp->rktp_eos.unanswered, 1);
`;
  edit(idempotence, removed, `${own}${removed.replace('int r', 'r')}`);
}

/**
 * What is sent again has to be the batch that it was, so all of a batch are tried equally often and wait equally long. What is free for
 * another batch has been tried already: with messages that were tried more often or less, that batch would fall apart as soon as it loses
 * its answer, which is fatal, or which gives half of it up that is there. Nor does it take in the beginning of a batch that stays what it was.
 */
function keepBatchesApart(source) {
  const file = join(source, 'rdkafka_msgset_writer.c');
  const begin = '        msetw->msetw_firstmsg.timestamp = rkm->rkm_timestamp;\n';
  const retries = `        retries = rkm->rkm_u.producer.retries;
`;
  edit(file, begin, `${begin}${retries}`);
  const variables = `        int msgcnt        = 0;
        const rd_ts_t now = rd_clock();

        /* Acquire BaseTimestamp from first message. */
`;
  edit(file, variables, variables.replace('\n', '\n        int retries;\n'));
  const space = '                /* Check if there is enough space in the current messageset\n';
  const apart = `                if (unlikely(msgcnt > 0 && !msetw->msetw_batch->last_msgid &&
                             rd_kafka_is_idempotent(rkb->rkb_rk) &&
                             (rkm->rkm_u.producer.last_msgid ||
                              rkm->rkm_u.producer.retries != retries))) {
                        /* A batch of its own begins here. */
                        break;
                }

`;
  edit(file, space, `${apart}${space}`);
}

/**
 * The epoch behind the last one was the first one again, of the same producer, which brokers refuse: nothing was written any more
 * (#3720, open). As with Java's client the producer gets another id then.
 */
function goOnWithAnotherId(source) {
  const file = join(source, 'rdkafka_idempotence.c');
  const drained = `                        restart_tmr = rd_true;

                } else {
                        /* The idempotent producer can bump its own epoch */
`;
  const exhausted = `                } else if (rk->rk_eos.pid.epoch == INT16_MAX) {
                        rd_kafka_dbg(rk, EOS, "DRAIN",
                                     "All partitions drained, asking for "
                                     "another producer id: %s has no epochs "
                                     "left",
                                     rd_kafka_pid2str(rk->rk_eos.pid));
                        rd_kafka_idemp_set_state(rk,
                                                 RD_KAFKA_IDEMP_STATE_REQ_PID);
                        restart_tmr = rd_true;

`;
  edit(
    file,
    drained,
    drained.replace('                } else {\n', `${exhausted}                } else {\n`),
  );
}
