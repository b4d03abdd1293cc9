// What is mended in the copy of librdkafka that is built; docs/internal/librdkafka.md says what each meant, and which tests show it.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { mendAdminAnswers } from './admin-answers.mjs';
import { mendBootstraps } from './bootstraps.mjs';
import { mendBusyWaits } from './busy-waits.mjs';
import { mendEarlierMemberships } from './earlier-memberships.mjs';
import { edit } from './edit.mjs';
import { mendEpochBumps } from './epoch-bumps.mjs';
import { mendFetchWaits } from './fetch-waits.mjs';
import { mendOffsetResets, mendTruncations } from './positions.mjs';
import { mendRebalancePauses } from './rebalance-pauses.mjs';
import { mendTopicsMadeAnew } from './topics-made-anew.mjs';

/** Mends librdkafka's sources in this folder. */
export function mendLibrdkafka(source) {
  mendTopicsMadeAnew(source);
  mendResponseNumbers(source);
  mendBootstraps(source);
  mendCoordinatorRequests(source);
  mendEpochBumps(source);
  mendGroupLists(source);
  mendEarlierMemberships(source);
  mendFetchWaits(source);
  mendBusyWaits(source);
  mendAdminAnswers(source);
  mendOffsetResets(source);
  mendTruncations(source);
  mendRebalancePauses(source);
  addSaslAws(source);
}

/** Interceptors are told the number of the request that a response belongs to, instead of a field that is never set. */
function mendResponseNumbers(source) {
  const told = 'request->rkbuf_reqhdr.ApiVersion, request->';
  const file = join(source, 'rdkafka_buf.c');
  edit(file, `${told}rkbuf_reshdr.CorrId,`, `${told}rkbuf_corrid,`);
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
 * Groups are looked for at every broker, and the last answer decided whether that had failed: where the group's coordinator could not
 * answer and another broker did, the group was not there. And one that was found counted only once all brokers had answered, so
 * a broker that is down made its description end in a time-out. Where none is named, what the brokers list is the answer: each group was
 * described as well, and had no protocol type where that is refused, or tells nothing (the newer protocol's groups).
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
  const begun = 'static void rd_kafka_ListGroups_resp_cb(rd_kafka_t *rk,\n';
  const add = `static void rd_kafka_list_groups_add(struct list_groups_state *state,
                                     rd_kafka_broker_t *rkb,
                                     const rd_kafkap_str_t *group,
                                     const rd_kafkap_str_t *protocol_type) {
        struct rd_kafka_group_info *gi;

        if (state->grplist->group_cnt == state->grplist_size) {
                state->grplist_size *= 2;
                state->grplist->groups = rd_realloc(
                    state->grplist->groups,
                    state->grplist_size * sizeof(*state->grplist->groups));
        }

        gi = &state->grplist->groups[state->grplist->group_cnt++];
        memset(gi, 0, sizeof(*gi));

        gi->broker.id = rkb->rkb_nodeid;
        rd_kafka_broker_lock(rkb);
        gi->broker.host = rd_strdup(rkb->rkb_origname);
        gi->broker.port = rkb->rkb_port;
        rd_kafka_broker_unlock(rkb);

        gi->group         = RD_KAFKAP_STR_DUP(group);
        gi->state         = rd_strdup("");
        gi->protocol_type = RD_KAFKAP_STR_DUP(protocol_type);
        gi->protocol      = rd_strdup("");
}

`;
  edit(file, begun, `${add}${begun}`);
  const read = `                rd_kafka_buf_read_str(reply, &grp);
                rd_kafka_buf_read_str(reply, &proto);

`;
  const listedAlone = `                if (!state->desired_group) {
                        rd_kafka_list_groups_add(state, rkb, &grp, &proto);
                        continue;
                }

`;
  edit(file, read, `${read}${listedAlone}`);
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
