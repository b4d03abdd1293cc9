/*
 * The headers of records, without an allocation for each.
 *
 * For consumed records, the raw bytes: rd_kafka_message_headers() copies headers into a list, with an allocation for
 * each header, one for the list and one of several hundred bytes for parsing. The raw bytes are part of the message
 * and live as long as it.
 *
 * For records to be produced, the list that librdkafka takes: rd_kafka_header_add() allocates for each header, and
 * memory that one thread allocates and another frees is slow for allocators. A list's elements need not be freed one
 * by one, so here they all lie in one allocation, after the array that points to them.
 *
 * What is used beyond rdkafka.h, and so has to be compared when librdkafka is upgraded:
 *
 *  - rd_kafka_message2msg(), and the field rkm_u.consumer.binhdrs of consumed messages, which is what
 *    rd_kafka_msg_headers_parse() reads;
 *  - rd_kafka_headers_t and rd_kafka_header_t, filled as rd_kafka_headers_new() and rd_kafka_header_add() fill them;
 *  - rd_list_t: rd_list_destroy() frees rl_elems, and the elements only by rl_free_cb.
 */
#include "rdkafka_int.h"
#include "rdkafka_header.h"
#include "rdkafka_msg.h"
#include "rdkafka_proto.h"
#include "rdvarint.h"
#include "private.h"

NKA_FUNCTION(rd_kafka_message2msg, rd_kafka_msg_t *(*)(rd_kafka_message_t *));
NKA_FIELD(rd_kafka_msg_t, rkm_u.consumer.binhdrs, rd_kafkap_bytes_t);
NKA_FIELD(rd_kafkap_bytes_t, len, int32_t);
NKA_FIELD(rd_kafkap_bytes_t, data, const void *);
NKA_FIELD(rd_kafka_headers_t, rkhdrs_list, rd_list_t);
NKA_FIELD(rd_kafka_headers_t, rkhdrs_ser_size, size_t);
NKA_ASSERT(sizeof(rd_kafka_headers_t) == sizeof(rd_list_t) + sizeof(size_t), "the headers have another field");
NKA_FIELD(rd_kafka_header_t, rkhdr_ser_size, size_t);
NKA_FIELD(rd_kafka_header_t, rkhdr_value_size, size_t);
NKA_FIELD(rd_kafka_header_t, rkhdr_name_size, size_t);
NKA_FIELD(rd_kafka_header_t, rkhdr_value, char *);
NKA_ASSERT(offsetof(rd_kafka_header_t, rkhdr_name) == 3 * sizeof(size_t) + sizeof(char *),
           "a header has another field");
NKA_FIELD(rd_list_t, rl_elems, void **);
NKA_FIELD(rd_list_t, rl_size, int);
NKA_FIELD(rd_list_t, rl_cnt, int);
NKA_FIELD(rd_list_t, rl_flags, int);

/* A header to be produced; a null value is NULL. */
typedef struct nka_header_s {
        const void *name;
        size_t name_size;
        const void *value;
        size_t value_size;
} nka_header_t;

/* Points `bytes` to the headers of a consumed message, and returns their length; 0 without headers. */
size_t nka_message_headers(const rd_kafka_message_t *rkmessage, const void **bytes) {
        const rd_kafka_msg_t *rkm = rd_kafka_message2msg((rd_kafka_message_t *)rkmessage);

        *bytes = rkm->rkm_u.consumer.binhdrs.data;
        return *bytes ? (size_t)RD_KAFKAP_BYTES_LEN(&rkm->rkm_u.consumer.binhdrs) : 0;
}

/* The bytes that a header takes after the array: the structure, both texts with their NULs, and padding. */
static size_t nka_header_room(const nka_header_t *header) {
        return RD_ROUNDUP(sizeof(rd_kafka_header_t) + header->name_size + 1 + header->value_size + 1, sizeof(void *));
}

/* A list with copies of these headers (at least one); to be freed with rd_kafka_headers_destroy(). */
rd_kafka_headers_t *nka_headers_new(const nka_header_t *headers, size_t cnt) {
        rd_kafka_headers_t *hdrs = rd_malloc(sizeof(*hdrs));
        rd_list_t *list          = &hdrs->rkhdrs_list;
        size_t i, room = cnt * sizeof(void *);
        char varint[RD_UVARINT_ENC_SIZEOF(int32_t)];
        char *place;

        for (i = 0; i < cnt; i++)
                room += nka_header_room(&headers[i]);

        rd_list_init(list, 0, NULL);
        list->rl_elems = rd_malloc(room);
        list->rl_size  = (int)cnt;
        list->rl_flags |= RD_LIST_F_FIXED_SIZE;
        hdrs->rkhdrs_ser_size = 0;

        place = (char *)(list->rl_elems + cnt);
        for (i = 0; i < cnt; i++) {
                const nka_header_t *from = &headers[i];
                rd_kafka_header_t *hdr   = (rd_kafka_header_t *)place;
                size_t value_size        = from->value ? from->value_size : 0;

                hdr->rkhdr_name_size = from->name_size;
                memcpy(hdr->rkhdr_name, from->name, from->name_size);
                hdr->rkhdr_name[from->name_size] = '\0';
                hdr->rkhdr_value                 = from->value ? hdr->rkhdr_name + from->name_size + 1 : NULL;
                hdr->rkhdr_value_size            = value_size;
                if (from->value) {
                        memcpy(hdr->rkhdr_value, from->value, value_size);
                        hdr->rkhdr_value[value_size] = '\0';
                }
                hdr->rkhdr_ser_size = from->name_size + value_size +
                                      rd_uvarint_enc_i64(varint, sizeof(varint), (int64_t)from->name_size) +
                                      rd_uvarint_enc_i64(varint, sizeof(varint), (int64_t)value_size);
                hdrs->rkhdrs_ser_size += hdr->rkhdr_ser_size;
                rd_list_add(list, hdr);
                place += nka_header_room(from);
        }
        return hdrs;
}
