import { join } from 'node:path';
import { edit } from './edit.mjs';

/**
 * In a cooperative rebalance all partitions were paused until the application had answered, also those that stay; what
 * was queued of them was thrown away and fetched again. Now only those that are revoked are.
 */
export function mendRebalancePauses(source) {
  const file = join(source, 'rdkafka_cgrp.c');
  const all = `                rd_kafka_assignment_pause(rkcg->rkcg_rk,
                                          "incremental rebalance");
`;
  const revoked = `                if (err == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS)
                        rd_kafka_assignment_pause_these(
                            rkcg->rkcg_rk, partitions, "incremental rebalance");
`;
  edit(file, all, revoked);

  const assignment = join(source, 'rdkafka_assignment.c');
  const resume = `/**
 * @brief Resume fetching of the currently assigned partitions which have
`;
  const these = `/**
 * @brief Pause fetching of those of these partitions that are assigned. They
 *        are resumed as they are removed, by serve_removals().
 */
void rd_kafka_assignment_pause_these(
    rd_kafka_t *rk,
    const rd_kafka_topic_partition_list_t *partitions,
    const char *reason) {
        rd_kafka_topic_partition_list_t *assigned =
            rd_kafka_topic_partition_list_new(partitions->cnt);
        int i;

        for (i = 0; i < partitions->cnt; i++) {
                const rd_kafka_topic_partition_t *rktpar =
                    &partitions->elems[i];
                if (rd_kafka_topic_partition_list_find(
                        rk->rk_consumer.assignment.all, rktpar->topic,
                        rktpar->partition))
                        rd_kafka_topic_partition_list_add(
                            assigned, rktpar->topic, rktpar->partition);
        }

        rd_kafka_dbg(rk, CGRP, "PAUSE",
                     "Pausing fetchers for %d of %d assigned partition(s): %s",
                     assigned->cnt, rk->rk_consumer.assignment.all->cnt,
                     reason);

        rd_kafka_toppars_pause_resume(rk, rd_true /*pause*/, RD_ASYNC,
                                      RD_KAFKA_TOPPAR_F_LIB_PAUSE, assigned);
        rd_kafka_topic_partition_list_destroy(assigned);
}

`;
  edit(assignment, resume, `${these}${resume}`);
  const declared = 'void rd_kafka_assignment_pause(rd_kafka_t *rk, const char *reason);\n';
  const also = `void rd_kafka_assignment_pause_these(
    rd_kafka_t *rk,
    const rd_kafka_topic_partition_list_t *partitions,
    const char *reason);
`;
  edit(join(source, 'rdkafka_assignment.h'), declared, `${declared}${also}`);
}
