import { join } from 'node:path';
import { edit } from './edit.mjs';

/**
 * A change of the subscribed topics (another partition, one more topic that a pattern matches) made a member join its group anew at once, also while
 * the application had still to answer to a rebalance. An assignment that was answered after that was replaced by the next one without having
 * been revoked, so what had been handled by then could not be committed; and a group was joined again before what was revoked had been given
 * back. Now such a change waits until partitions are not changing hands, as a rebalance of the group does that a heartbeat tells of.
 */
export function mendRebalanceAnswers(source) {
  const rejoin = '        rd_bool_t rkcg_rebalance_rejoin;\n';
  const postponed = `
        /** The metadata have changed while partitions change hands. */
        rd_bool_t rkcg_metadata_postponed;
`;
  edit(join(source, 'rdkafka_cgrp.h'), rejoin, `${rejoin}${postponed}`);

  const file = join(source, 'rdkafka_cgrp.c');
  const check = `        if (!rkcg->rkcg_subscription || rkcg->rkcg_subscription->cnt == 0)
                return;

        /*
         * Unmatched topics will be added to the errored list.
         */
`;
  const postpone = `        if (do_join && rd_kafka_cgrp_is_changing_hands(rkcg)) {
                rd_kafka_dbg(rkcg->rkcg_rk, CGRP | RD_KAFKA_DBG_METADATA,
                             "REBALANCE",
                             "Group \\"%.*s\\": postponing check of metadata "
                             "in join-state %s",
                             RD_KAFKAP_STR_PR(rkcg->rkcg_group_id),
                             rd_kafka_cgrp_join_state_names
                                 [rkcg->rkcg_join_state]);
                rkcg->rkcg_metadata_postponed = rd_true;
                return;
        }

`;
  const unmatched = '        /*\n         * Unmatched topics';
  edit(file, check, check.replace(unmatched, `${postpone}${unmatched}`));

  const serve = `/**
 * Client group's join state handling
 */
static void rd_kafka_cgrp_join_state_serve(rd_kafka_cgrp_t *rkcg) {
`;
  const functions = `/**
 * @brief Whether partitions are being assigned or revoked: the application is
 *        to answer, or what it has given back is still being stopped.
 */
static rd_bool_t rd_kafka_cgrp_is_changing_hands(const rd_kafka_cgrp_t *rkcg) {
        return RD_KAFKA_CGRP_WAIT_ASSIGN_CALL(rkcg) ||
               rkcg->rkcg_join_state ==
                   RD_KAFKA_CGRP_JOIN_STATE_WAIT_UNASSIGN_TO_COMPLETE ||
               rkcg->rkcg_join_state ==
                   RD_KAFKA_CGRP_JOIN_STATE_WAIT_INCR_UNASSIGN_TO_COMPLETE;
}

/**
 * @brief Makes up for a check of the metadata that was postponed. Who is about
 *        to join need not join for it.
 */
static void rd_kafka_cgrp_check_postponed_metadata(rd_kafka_cgrp_t *rkcg) {
        if (rd_kafka_cgrp_is_changing_hands(rkcg))
                return;
        rkcg->rkcg_metadata_postponed = rd_false;
        rd_kafka_cgrp_metadata_update_check(
            rkcg, rkcg->rkcg_join_state == RD_KAFKA_CGRP_JOIN_STATE_STEADY);
}

`;
  const fatal = `        if (unlikely(rd_kafka_fatal_error_code(rkcg->rkcg_rk)))
                return;

        switch (rkcg->rkcg_join_state) {
        case RD_KAFKA_CGRP_JOIN_STATE_INIT:
                if (unlikely(rd_kafka_cgrp_awaiting_response(rkcg)))
`;
  const made = `        if (unlikely(rkcg->rkcg_metadata_postponed))
                rd_kafka_cgrp_check_postponed_metadata(rkcg);

`;
  edit(file, serve, `${functions}${serve}`);
  edit(file, fatal, fatal.replace('        switch (', `${made}        switch (`));
}
