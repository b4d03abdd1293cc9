// What is mended in the copy of librdkafka that is built; docs/internal/librdkafka.md says what each meant, and which tests show it.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { edit } from './edit.mjs';

/** Mends librdkafka's sources in this folder. */
export function mendLibrdkafka(source) {
  mendTopicsMadeAnew(source);
  mendResponseNumbers(source);
  mendBootstrap(source);
  mendCoordinatorRequests(source);
  mendEpochBumps(source);
  mendGroupLists(source);
  addSaslAws(source);
}

/**
 * A topic that is deleted and made anew is another one of the same name (KIP-516). librdkafka notices, and goes on as if it
 * were the old one (its own comment says so). Then what brokers say of a partition counts as outdated until it has had
 * as many leaders again as the old topic's, and nobody reads it; and records below the old position are passed over. So
 * the epochs are forgotten and the position is given up, with an error that names the beginning as the place to go on.
 */
function mendTopicsMadeAnew(source) {
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
  edit(join(source, 'rdkafka_topic.c'), line, `${before}${line}${mend}`);
}

/** Interceptors are told the number of the request that a response belongs to, instead of a field that is never set. */
function mendResponseNumbers(source) {
  const told = 'request->rkbuf_reqhdr.ApiVersion, request->';
  const file = join(source, 'rdkafka_buf.c');
  edit(file, `${told}rkbuf_reshdr.CorrId,`, `${told}rkbuf_corrid,`);
}

/**
 * A client gives up its connection to a bootstrap address as soon as that has told which brokers there are. Where none of them
 * can be reached by the address it advertises, whether the application's first request was answered before that was a race.
 * The connection is kept until one of them is up, which then is asked which brokers there are: with that answer it goes.
 * Until then, as with kafkajs, what the bootstrap address can answer is answered.
 */
function mendBootstrap(source) {
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
function mendCoordinatorRequests(source) {
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

/**
 * A record that an idempotent producer gives up, on any partition, leaves a gap in its numbers: librdkafka goes on with the next
 * epoch, on all partitions, and numbers what they have left anew. What had been sent before and lost its answer (its leader
 * is gone) was then sent again under numbers by which no broker can know it: it was there twice. Now a partition keeps its epoch
 * until all that it has sent is answered, as with Java's client, and goes on to the next one then. Only what a broker has
 * refused for its number is known not to be there, and free for the next epoch. For that a batch must stay what it was: where
 * the time of its first record is over while nobody knows whether it is there, it ends as a whole.
 */
function mendEpochBumps(source) {
  countUnanswered(source);

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
 * Groups are looked for at every broker, and the last answer decided whether that had failed: where the group's coordinator could not
 * answer and another broker did, the group was not there. And one that was found counted only once all brokers had answered, so
 * a broker that is down made its description end in a time-out.
 */
function mendGroupLists(source) {
  const file = join(source, 'rdkafka.c');
  const state = '        struct rd_kafka_group_list *grplist;\n        int grplist_size;\n';
  edit(file, state, `${state}        rd_bool_t described;\n`);
  const end = `err:
        state->err = err;
        return;

err_parse:
`;
  const first = 'if (!state->err)\n                state->err = ';
  const described = '        state->described = rd_true;\n\n';
  const parsed = '        state->err = reply->rkbuf_err;\n}\n\nstatic void rd_kafka_ListGroups_resp_cb';
  const kept = end.replace('state->err = ', first);
  edit(file, `${end}${parsed}`, `${described}${kept}${parsed.replace('state->err = ', first)}`);
  edit(file, end, kept);
  const listed = '                rd_free(grps);\n        state->err = reply->rkbuf_err;\n';
  edit(file, listed, listed.replace('state->err = ', first));
  const waiting =
    '                while (state.wait_cnt > 0 &&\n                       !rd_timeout_expired(\n                           (remains';
  edit(file, waiting, waiting.replace('wait_cnt > 0 &&', 'wait_cnt > 0 && !(group && state.described) &&'));
  const timedOut =
    '        if (state.wait_cnt > 0 && !state.err) {\n                if (state.grplist->group_cnt == 0)';
  const found = `        if (group && state.described) {
                /* Its coordinator has answered: no other broker has it. */
                *grplistp = state.grplist;
                return RD_KAFKA_RESP_ERR_NO_ERROR;
        }

`;
  edit(file, timedOut, `${found}${timedOut}`);
}

/** The SASL mechanism `AWS` of kafkajs, beside `PLAIN` (sasl-aws.c). The properties are those of `PLAIN`, which are kept secret. */
function addSaslAws(source) {
  const provider = readFileSync(new URL('sasl-aws.c', import.meta.url), 'utf8');
  const plain = '    .conf_validate = rd_kafka_sasl_plain_conf_validate};\n';
  edit(join(source, 'rdkafka_sasl_plain.c'), plain, () => `${plain}${provider}`);

  const declared = 'extern const struct rd_kafka_sasl_provider rd_kafka_sasl_plain_provider;\n';
  const header = join(source, 'rdkafka_sasl_int.h');
  edit(header, declared, `${declared}${declared.replace('plain', 'aws')}`);

  const chosen = `                provider = &rd_kafka_sasl_plain_provider;

        } else if (`;
  const beside = `!strcmp(rk->rk_conf.sasl.mechanisms, "AWS")) {
                /* SASL AWS, of kafkajs */
                provider = &rd_kafka_sasl_aws_provider;

        } else if (`;
  edit(join(source, 'rdkafka_sasl.c'), chosen, `${chosen}${beside}`);
  // Otherwise each client warns that `sasl.username` does not apply.
  const applies = '              !strcmp(rk->rk_conf.sasl.mechanisms, "PLAIN")))\n';
  const also = applies.replace(')))', ') ||\n              !strcmp(rk->rk_conf.sasl.mechanisms, "AWS")))');
  edit(join(source, 'rdkafka_conf.c'), applies, also);
}
