// What is mended in the copy of librdkafka that is built; docs/internal/librdkafka.md says what each meant, and which tests show it.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { mendAdminAnswers } from './admin-answers.mjs';
import { mendBootstraps } from './bootstraps.mjs';
import { mendBusyWaits } from './busy-waits.mjs';
import { mendEarlierMemberships } from './earlier-memberships.mjs';
import { mendCoordinators } from './coordinators.mjs';
import { edit } from './edit.mjs';
import { mendEpochBumps } from './epoch-bumps.mjs';
import { mendFetchWaits } from './fetch-waits.mjs';
import { mendMetadata } from './metadata.mjs';
import { mendOffsetResets, mendTruncations } from './positions.mjs';
import { mendRebalanceAnswers } from './rebalance-answers.mjs';
import { mendRebalancePauses } from './rebalance-pauses.mjs';
import { mendTopicsMadeAnew } from './topics-made-anew.mjs';

/** Mends librdkafka's sources in this folder. */
export function mendLibrdkafka(source) {
  mendTopicsMadeAnew(source);
  mendResponseNumbers(source);
  mendBootstraps(source);
  mendCoordinators(source);
  mendEpochBumps(source);
  mendGroupLists(source);
  mendEarlierMemberships(source);
  mendFetchWaits(source);
  mendBusyWaits(source);
  mendMetadata(source);
  mendAdminAnswers(source);
  mendOffsetResets(source);
  mendTruncations(source);
  mendRebalanceAnswers(source);
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
