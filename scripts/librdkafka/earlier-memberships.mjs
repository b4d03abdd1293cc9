import { join } from 'node:path';
import { edit } from './edit.mjs';

/**
 * A member whose session has timed out has no member id until it has joined its group anew. What was to be committed and waited for
 * the coordinator is then committed as nobody's, and where the group still knows the earlier member (the coordinator has just been
 * started), a `group.instance.id` makes the answer that another one has taken its place. librdkafka made that fatal: the member
 * fenced itself, and a whole group of such members could stand still once a broker had been away. Now what is answered to an
 * earlier member, or to none, only says that the offsets are of an earlier generation, and changes nothing else, as with
 * Java's client (`ConsumerCoordinator.OffsetCommitResponseHandler`, `AbstractCoordinator.HeartbeatResponseHandler`).
 */
export function mendEarlierMemberships(source) {
  const members = `                } EndTxn;
        } rkbuf_u;
`;
  const member = `                struct {
                        int membership;  /**< rkcg_membership when it was made */
                        int32_t generation_id;
                } Member; /* OffsetCommit, Heartbeat */
`;
  edit(join(source, 'rdkafka_buf.h'), members, members.replace('EndTxn;\n', `EndTxn;\n${member}`));

  const header = join(source, 'rdkafka_cgrp.h');
  const id = '        rd_kafkap_str_t *rkcg_member_id; /* Last assigned MemberId */\n';
  const counted = '        int rkcg_membership;             /* Counts the MemberIds */\n';
  edit(header, id, `${id}${counted}`);
  const setter = 'void rd_kafka_cgrp_set_member_id(rd_kafka_cgrp_t *rkcg, const char *member_id)';
  const declared = `void rd_kafka_cgrp_mark_request(const rd_kafka_cgrp_t *rkcg,
                                rd_kafka_buf_t *request);
rd_bool_t rd_kafka_cgrp_is_earlier_member(const rd_kafka_cgrp_t *rkcg,
                                          const rd_kafka_buf_t *request);
`;
  edit(header, `${setter};\n`, `${setter};\n${declared}`);

  const group = join(source, 'rdkafka_cgrp.c');
  const functions = `/**
 * @brief Notes in a request as which member it is made.
 *
 * @locality rdkafka main thread
 */
void rd_kafka_cgrp_mark_request(const rd_kafka_cgrp_t *rkcg,
                                rd_kafka_buf_t *request) {
        request->rkbuf_u.Member.membership    = rkcg->rkcg_membership;
        request->rkbuf_u.Member.generation_id = rkcg->rkcg_generation_id;
}

/**
 * @brief Whether a request was made as a member that this consumer is not any
 *        more, or as none.
 *
 * @locality rdkafka main thread
 */
rd_bool_t rd_kafka_cgrp_is_earlier_member(const rd_kafka_cgrp_t *rkcg,
                                          const rd_kafka_buf_t *request) {
        return !rkcg->rkcg_member_id ||
               RD_KAFKAP_STR_LEN(rkcg->rkcg_member_id) == 0 ||
               request->rkbuf_u.Member.membership != rkcg->rkcg_membership;
}

static rd_bool_t
rd_kafka_cgrp_is_earlier_generation(const rd_kafka_cgrp_t *rkcg,
                                    const rd_kafka_buf_t *request) {
        return rd_kafka_cgrp_is_earlier_member(rkcg, request) ||
               request->rkbuf_u.Member.generation_id !=
                   rkcg->rkcg_generation_id;
}

`;
  const joined = `        (RD_KAFKA_CGRP_HAS_JOINED_CLASSIC(rkcg) ||                             \\
         RD_KAFKA_CGRP_HAS_JOINED_CONSUMER(rkcg))

`;
  edit(group, joined, `${joined}${functions}`);
  const changed = `        if (rkcg->rkcg_member_id) {
                rd_kafkap_str_destroy(rkcg->rkcg_member_id);
                rkcg->rkcg_member_id = NULL;
`;
  edit(group, changed, `        rkcg->rkcg_membership++;\n\n${changed}`);

  const requests = join(source, 'rdkafka_request.c');
  const marked = `        if (rkb->rkb_rk->rk_cgrp)
                rd_kafka_cgrp_mark_request(rkb->rkb_rk->rk_cgrp, rkbuf);

`;
  const commit = `        rd_rkb_dbg(rkb, TOPIC, "OFFSET",
                   "Enqueue OffsetCommitRequest(v%d`;
  edit(requests, commit, `${marked}${commit}`);
  const heartbeat = `        rd_kafka_buf_set_abs_timeout(
            rkbuf, rkb->rkb_rk->rk_conf.group_session_timeout_ms, 0);

        rd_kafka_broker_buf_enq_replyq(rkb, rkbuf, replyq, resp_cb, opaque);
}

void rd_kafka_ConsumerGroupHeartbeatRequest(`;
  edit(requests, heartbeat, `${marked}${heartbeat}`);

  const answered = '                rktpar->err = partition->err;\n                if (partition->err) {\n';
  const earlier = `                /* Of its earlier self, nothing is said of the member. */
                if (unlikely(
                        (partition->err ==
                             RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID ||
                         partition->err ==
                             RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID) &&
                        !ignore_cgrp && rk->rk_cgrp &&
                        rd_kafka_cgrp_is_earlier_member(rk->rk_cgrp, request)))
                        partition->err = RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION;

`;
  edit(requests, answered, `${earlier}${answered}`);
  const rebalancing = `                if (RD_KAFKA_CGRP_REBALANCING(rkcg))
                        break;

                rk->rk_cgrp->rkcg_generation_id = -1;
`;
  const outdated =
    'REBALANCING(rkcg) ||\n                    rd_kafka_cgrp_is_earlier_generation(rkcg, request))';
  edit(group, rebalancing, rebalancing.replace('REBALANCING(rkcg))', outdated));
  const beats = `        switch (err) {
        case RD_KAFKA_RESP_ERR__DESTROY:
                /* quick cleanup */
                return;

        case RD_KAFKA_RESP_ERR_NOT_COORDINATOR_FOR_GROUP:
        case RD_KAFKA_RESP_ERR_GROUP_COORDINATOR_NOT_AVAILABLE:
        case RD_KAFKA_RESP_ERR__TRANSPORT:
                rd_kafka_dbg(rkcg->rkcg_rk, CONSUMER, "HEARTBEAT",
`;
  const ignored = `        if ((err == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID ||
             err == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID ||
             err == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION) &&
            rd_kafka_cgrp_is_earlier_generation(rkcg, request)) {
                rd_kafka_dbg(rkcg->rkcg_rk, CGRP, "HEARTBEAT",
                             "Heartbeat response: discarding response to "
                             "an earlier membership");
                return;
        }

`;
  edit(group, beats, `${ignored}${beats}`);
}
