import { join } from 'node:path';
import { edit } from './edit.mjs';

/** Requests to a group's coordinator, and those to the client's own group. */
export function mendCoordinators(source) {
  lookAtRequests(source);
  askForCoordinators(source);
  releaseOnce(source);
  answerBehindTheEnd(source);
}

/**
 * What is to be sent to a group's coordinator while that is away (the offsets of a transaction, some calls of admin clients) is looked
 * at again only when a broker's connection comes or goes, and its time-out is written down and never read. Where nothing comes or
 * goes any more it waits for ever: the coordinator has moved while nobody was asked, or those who were asked did not know yet. Now
 * it is looked at every second, asks anew, and fails when its time is over.
 */
function lookAtRequests(source) {
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
  // Nor where the search is refused.
  const refused = `                rd_kafka_coord_req_fail(rk, creq, err);
                return;

`;
  const dropped = `
                /* Drop refcount from req_fsm() */
                rd_kafka_coord_req_destroy(rk, creq, rd_false /*!done*/);
                return;
`;
  edit(file, refused, refused.replace('                return;\n', dropped));
}

/**
 * An admin request went to the coordinator that an earlier one had found, for as long as it was used more often than every
 * `metadata.max.age.ms`. Where the group had moved to another broker while that one was up, each try was refused for that, and kept it in
 * mind. Now each request looks for the coordinator, as with kafkajs.
 */
function askForCoordinators(source) {
  const file = join(source, 'rdkafka_admin.c');
  const asked = `                            rko->rko_u.admin_request.eonce,
                            "coordinator request");
                        rd_kafka_coord_req(
`;
  const anew = asked.replace(
    '                        rd_kafka_coord_req(',
    `                        rd_kafka_coord_cache_forget(
                            &rk->rk_coord_cache,
                            rko->rko_u.admin_request.coordtype,
                            rko->rko_u.admin_request.coordkey);
                        rd_kafka_coord_req(`,
  );
  edit(file, asked, anew);
  const evict = `void rd_kafka_coord_cache_evict(rd_kafka_coord_cache_t *cc,
                                rd_kafka_broker_t *rkb);
`;
  const forget = `void rd_kafka_coord_cache_forget(rd_kafka_coord_cache_t *cc,
                                 rd_kafka_coordtype_t coordtype,
                                 const char *coordkey);
`;
  edit(join(source, 'rdkafka_coord.h'), evict, `${evict}${forget}`);
  const destroy = `/**
 * @brief Destroy all coord cache entries.
 */
`;
  const forgotten = `/**
 * @brief Forget which broker is this coordinator.
 *
 * @locality rdkafka main thread
 * @locks none
 */
${forget.replace(');', ') {')}        rd_kafka_coord_cache_entry_t *cce =
            rd_kafka_coord_cache_find(cc, coordtype, coordkey);

        if (cce)
                rd_kafka_coord_cache_entry_destroy(cc, cce);
}

`;
  edit(join(source, 'rdkafka_coord.c'), destroy, `${forgotten}${destroy}`);
}

/**
 * Where a broker does not know a request it was the request that released the queue for its answer, and then who had asked for it,
 * once more: after two such calls the client's own queue was freed in use. And a request whose time was over when
 * the coordinator came had an answer made for it, whose owner was gone.
 */
function releaseOnce(source) {
  const file = join(source, 'rdkafka_request.c');
  for (const told of [
    '"by broker, requires broker version >= 2.4.0");',
    '"by broker, requires broker version >= 1.1.0");',
  ]) {
    const released = `                            ${told}
                rd_kafka_replyq_destroy(&replyq);
                return RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE;
`;
    edit(file, released, released.replace('                rd_kafka_replyq_destroy(&replyq);\n', ''));
  }
  const failed = `                                rd_kafka_replyq_destroy(&replyq);
                                rd_kafka_coord_req_fail(rk, creq, err);
                        } else {
`;
  const ended = `                                rd_kafka_replyq_destroy(&replyq);
                                if (err == RD_KAFKA_RESP_ERR__DESTROY)
                                        rd_kafka_coord_req_destroy(
                                            rk, creq, rd_true /*done*/);
                                else
                                        rd_kafka_coord_req_fail(rk, creq, err);
                        } else {
`;
  edit(join(source, 'rdkafka_coord.c'), failed, ended);
}

/**
 * What came to the group when it had just ended was dropped, with whoever waited for its answer: `rd_kafka_memberid()` and others have no
 * time limit (#4884, open).
 */
function answerBehindTheEnd(source) {
  const dropped = `                if (rko)
                        rd_kafka_op_destroy(rko);
                return RD_KAFKA_OP_RES_HANDLED;
        }


        rktp = rko->rko_rktp;
`;
  const answered = 'rd_kafka_op_reply(rko, RD_KAFKA_RESP_ERR__DESTROY)';
  edit(join(source, 'rdkafka_cgrp.c'), dropped, dropped.replace('rd_kafka_op_destroy(rko)', answered));
}
