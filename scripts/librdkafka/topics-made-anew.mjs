import { join } from 'node:path';
import { edit } from './edit.mjs';

/**
 * A topic that is deleted and made anew is another one of the same name (KIP-516). librdkafka notices, and goes on as if it
 * were the old one (its own comment says so). Then what brokers say of a partition counts as outdated until it has had
 * as many leaders again as the old topic's, and nobody reads it; and records below the old position are passed over. So
 * the epochs are forgotten and the position is given up, with an error that names the beginning as the place to go on.
 *
 * Another id is not always another topic. Brokers that know no ids answer none, which says nothing. A broker that lags behind
 * answers the id before the present one, which is no news either, nor is the present one after it. And ids of another cluster,
 * which the same addresses lead to since a failover, are no later ones than those of the first.
 */
export function mendTopicsMadeAnew(source) {
  const topics = join(source, 'rdkafka_topic.c');
  const fields = '        TAILQ_HEAD(, rd_kafka_partition_msgid_s) rkt_saved_partmsgids;\n};\n';
  const ids = `
        /** The last id that a broker has told, and the one before it:
         *  both are zero at first, and again with another cluster.
         *  rkt_topic_id is zero as well where a broker knows none.
         *  @locks rkt_lock */
        rd_kafka_Uuid_t rkt_told_id;
        rd_kafka_Uuid_t rkt_earlier_id;
};

void rd_kafka_topics_forget_cluster(rd_kafka_t *rk);
`;
  edit(join(source, 'rdkafka_topic.h'), fields, fields.replace('};\n', ids));

  const update = `/**
 * @brief Update a topic from metadata.
`;
  const functions = `/**
 * @brief A broker has told this id of the topic. If it is another topic, which
 *        was made anew, the old one's epochs and positions are given up.
 *
 * @locks rd_kafka_topic_wrlock(rkt) MUST be held.
 */
static void rd_kafka_topic_id_told(rd_kafka_topic_t *rkt,
                                   rd_kafka_Uuid_t topic_id) {
        rd_bool_t is_first = RD_KAFKA_UUID_IS_ZERO(rkt->rkt_told_id);
        rd_bool_t is_earlier =
            !rd_kafka_Uuid_cmp(topic_id, rkt->rkt_earlier_id);
        int i;

        if (RD_KAFKA_UUID_IS_ZERO(topic_id) ||
            !rd_kafka_Uuid_cmp(topic_id, rkt->rkt_told_id))
                return;

        rkt->rkt_earlier_id = rkt->rkt_told_id;
        rkt->rkt_told_id    = topic_id;

        for (i = 0; !is_first && i < rkt->rkt_partition_cnt; i++) {
                rd_kafka_toppar_t *rktp = rkt->rkt_p[i];

                rd_kafka_toppar_lock(rktp);
                rktp->rktp_leader_epoch = -1;
                if (!is_earlier &&
                    rkt->rkt_rk->rk_type == RD_KAFKA_CONSUMER &&
                    (rktp->rktp_fetch_state == RD_KAFKA_TOPPAR_FETCH_ACTIVE ||
                     rktp->rktp_fetch_state ==
                         RD_KAFKA_TOPPAR_FETCH_VALIDATE_EPOCH_WAIT))
                        rd_kafka_offset_reset(
                            rktp, RD_KAFKA_NODEID_UA,
                            RD_KAFKA_FETCH_POS(RD_KAFKA_OFFSET_BEGINNING, -1),
                            RD_KAFKA_RESP_ERR__LOG_TRUNCATION,
                            "the topic was made anew");
                rd_kafka_toppar_unlock(rktp);
        }
}


/**
 * @brief Another cluster answers: ids and epochs of the first one's topics are
 *        nothing to compare its own with. Positions stay.
 *
 * @locality main thread
 * @locks none
 */
void rd_kafka_topics_forget_cluster(rd_kafka_t *rk) {
        const rd_kafka_Uuid_t none = RD_KAFKA_UUID_ZERO;
        rd_kafka_topic_t *rkt;
        int i;

        rd_kafka_rdlock(rk);
        TAILQ_FOREACH(rkt, &rk->rk_topics, rkt_link) {
                rd_kafka_topic_wrlock(rkt);
                rkt->rkt_told_id    = none;
                rkt->rkt_earlier_id = none;
                for (i = 0; i < rkt->rkt_partition_cnt; i++) {
                        rd_kafka_toppar_t *rktp = rkt->rkt_p[i];

                        rd_kafka_toppar_lock(rktp);
                        rktp->rktp_leader_epoch                       = -1;
                        rktp->rktp_next_fetch_start.leader_epoch      = -1;
                        rktp->rktp_last_next_fetch_start.leader_epoch = -1;
                        rktp->rktp_offsets.fetch_pos.leader_epoch     = -1;
                        rd_kafka_toppar_unlock(rktp);
                }
                rd_kafka_topic_wrunlock(rkt);
        }
        rd_kafka_rdunlock(rk);
}


`;
  edit(topics, update, `${functions}${update}`);
  const line = '                        rkt->rkt_topic_id = mdit->topic_id;\n                }\n';
  const told = '                rd_kafka_topic_id_told(rkt, mdit->topic_id);\n';
  edit(topics, line, `${line}${told}`);

  const answered = '        rd_kafka_metadata_decommission_unavailable_brokers(rk, md, rkb);\n\n';
  const another = `        if (rk->rk_clusterid && RD_KAFKAP_STR_LEN(&cluster_id) > 0 &&
            rd_kafkap_str_cmp_str(&cluster_id, rk->rk_clusterid))
                rd_kafka_topics_forget_cluster(rk);

`;
  edit(join(source, 'rdkafka_metadata.c'), answered, `${answered}${another}`);
}
