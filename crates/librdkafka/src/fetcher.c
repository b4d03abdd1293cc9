/*
 * How far a partition has been fetched, and how to resume a partition that librdkafka has stopped fetching.
 *
 * rd_kafka_position() is the offset after the last record that the application was handed. After that record the log
 * may have offsets that no application is handed: transaction markers, aborted records, gaps of compaction. The
 * fetcher's own position is past them, but only the statistics contain it, for all partitions and as text.
 *
 * With auto.offset.reset=error a partition whose log does not have the fetcher's position is no longer fetched, and
 * refuses seeks: it would have to be assigned anew, which in most groups means all partitions.
 *
 * What is used beyond rdkafka.h, and so has to be compared when librdkafka is upgraded:
 *
 *  - rd_kafka_toppar_get2();
 *  - rktp_offsets_fin.fetch_pos, under the partition's lock: the broker thread copies rktp_offsets there before each fetch
 *    request, and moves fetch_pos only when it has queued the records before it (rd_kafka_msgset_reader_run());
 *  - rktp_fetch_state, and that rktp_fetch_version differs from rktp_op_version from the moment an assignment or a seek
 *    takes effect until the fetcher has taken it up, as rktp_next_fetch_start does from rktp_last_next_fetch_start: until
 *    then the position is that of before;
 *  - rktp_version, which is ahead of rktp_op_version from the moment a pause or a seek is asked for: whoever takes records then
 *    has those of before thrown away, though they were fetched (rd_kafka_op_version_outdated());
 *  - that rd_kafka_offset_reset() leaves an assigned partition in the state FETCH_NONE, without a timer or a request, and
 *    that rd_kafka_toppar_seek() goes on from FETCH_OFFSET_WAIT; rd_kafka_toppar_set_fetch_state(), on any thread.
 */
#include "rdkafka_int.h"
#include "rdkafka_partition.h"
#include "private.h"

NKA_FUNCTION(rd_kafka_toppar_get2, rd_kafka_toppar_t *(*)(rd_kafka_t *, const char *, int32_t, int, int));
NKA_FUNCTION(rd_kafka_toppar_set_fetch_state, void (*)(rd_kafka_toppar_t *, int));
NKA_FUNCTION(rd_kafka_fetch_pos_cmp, int (*)(const rd_kafka_fetch_pos_t *, const rd_kafka_fetch_pos_t *));
NKA_FIELD(rd_kafka_toppar_t, rktp_fetch_version, int32_t);
NKA_FIELD(rd_kafka_toppar_t, rktp_op_version, int32_t);
NKA_FIELD(rd_kafka_toppar_t, rktp_version, rd_atomic32_t);
NKA_FIELD(rd_kafka_toppar_t, rktp_next_fetch_start, rd_kafka_fetch_pos_t);
NKA_FIELD(rd_kafka_toppar_t, rktp_last_next_fetch_start, rd_kafka_fetch_pos_t);
NKA_FIELD(rd_kafka_toppar_t, rktp_offsets_fin, struct offset_stats);
NKA_FIELD(struct offset_stats, fetch_pos, rd_kafka_fetch_pos_t);
NKA_FIELD(rd_kafka_fetch_pos_t, offset, int64_t);

/* The partition, with a reference, if the client knows it. */
static rd_kafka_toppar_t *nka_known(rd_kafka_t *rk, const char *topic, int32_t partition) {
        return rd_kafka_toppar_get2(rk, topic, partition, 0 /* no unassigned one */, 0 /* no new one */);
}

/* The offset before which everything was fetched and queued; negative when it is not known. */
int64_t nka_fetched(rd_kafka_t *rk, const char *topic, int32_t partition) {
        rd_kafka_toppar_t *rktp = nka_known(rk, topic, partition);
        int64_t offset          = RD_KAFKA_OFFSET_INVALID;

        if (!rktp)
                return offset;
        rd_kafka_toppar_lock(rktp);
        if (rktp->rktp_fetch_state == RD_KAFKA_TOPPAR_FETCH_ACTIVE &&
            rktp->rktp_fetch_version == rktp->rktp_op_version &&
            rd_atomic32_get(&rktp->rktp_version) == rktp->rktp_op_version &&
            !rd_kafka_fetch_pos_cmp(&rktp->rktp_next_fetch_start, &rktp->rktp_last_next_fetch_start))
                offset = rktp->rktp_offsets_fin.fetch_pos.offset;
        rd_kafka_toppar_unlock(rktp);
        rd_kafka_toppar_destroy(rktp);
        return offset;
}

/* Makes an assigned partition accept a seek although it is no longer fetched. */
void nka_allow_seek(rd_kafka_t *rk, const char *topic, int32_t partition) {
        rd_kafka_toppar_t *rktp = nka_known(rk, topic, partition);

        if (!rktp)
                return;
        rd_kafka_toppar_lock(rktp);
        if (rktp->rktp_fetch_state == RD_KAFKA_TOPPAR_FETCH_NONE)
                rd_kafka_toppar_set_fetch_state(rktp, RD_KAFKA_TOPPAR_FETCH_OFFSET_WAIT);
        rd_kafka_toppar_unlock(rktp);
        rd_kafka_toppar_destroy(rktp);
}
