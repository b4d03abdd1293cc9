import { join } from 'node:path';
import { edit } from './edit.mjs';

/** Errors of whole answers to admin requests, which were lost where the answer is made of several, or has a list beside the error. */
export function mendAdminAnswers(source) {
  mendListedOffsets(source);
  mendRefusedRules(source);
}

/**
 * The offsets of a topic are asked of all its leaders. What one of them does not answer was passed over: its partitions kept what they
 * begin with, an offset that is none, without an error. Now they have the error of the request, as with DeleteRecords.
 */
function mendListedOffsets(source) {
  const merged = `        rd_assert(rko_partial->rko_evtype == RD_KAFKA_EVENT_LISTOFFSETS_RESULT);

        partition_cnt = rd_list_cnt(&rko_partial->rko_u.admin_result.results);
        total_partitions =
            rd_list_cnt(&rko_fanout->rko_u.admin_request.fanout.results);
`;
  const failed = `
        if (rko_partial->rko_err) {
                /* The error of a whole request is that of its partitions. */
                const rd_kafka_topic_partition_list_t *asked =
                    rd_list_elem(&rko_partial->rko_u.admin_result.args, 0);

                for (j = 0; j < total_partitions; j++) {
                        rd_kafka_topic_partition_t *rktpar =
                            ((rd_kafka_ListOffsetsResultInfo_t *)rd_list_elem(
                                 &rko_fanout->rko_u.admin_request.fanout
                                      .results,
                                 j))
                                ->topic_partition;
                        if (rd_kafka_topic_partition_list_find(
                                asked, rktpar->topic, rktpar->partition))
                                rktpar->err = rko_partial->rko_err;
                }
                return;
        }
`;
  edit(join(source, 'rdkafka_admin.c'), merged, `${merged}${failed}`);
}

/** A broker that refuses to tell of access rules says why; it was taken for one that has none. */
function mendRefusedRules(source) {
  const dropped = `        if (error_code) {
                if (RD_KAFKAP_STR_LEN(&error_msg) == 0)
                        errstr = (char *)rd_kafka_err2str(error_code);
                else
                        RD_KAFKAP_STR_DUPA(&errstr, &error_msg);
        }

        /* #resources */
`;
  const told = `        if (error_code) {
                if (RD_KAFKAP_STR_LEN(&error_msg) == 0)
                        rd_snprintf(errstr, errstr_size, "%s",
                                    rd_kafka_err2str(error_code));
                else
                        rd_snprintf(errstr, errstr_size, "%.*s",
                                    RD_KAFKAP_STR_PR(&error_msg));
                return error_code;
        }

        /* #resources */
`;
  edit(join(source, 'rdkafka_admin.c'), dropped, told);
}
