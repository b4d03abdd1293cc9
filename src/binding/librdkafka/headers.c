/*
 * The headers of a consumed record as they came over the wire.
 *
 * rd_kafka_message_headers() copies them into a list, with an allocation for each header, one for the list and one of
 * several hundred bytes for the reading itself. The bytes are all there, and live as long as the message.
 *
 * What is used beyond rdkafka.h, and so has to be compared when librdkafka is upgraded:
 *
 *  - rd_kafka_message2msg(), and the field rkm_u.consumer.binhdrs of consumed messages, which is what
 *    rd_kafka_msg_headers_parse() reads.
 */
#include "rdkafka_int.h"
#include "rdkafka_msg.h"
#include "rdkafka_proto.h"

#if RD_KAFKA_VERSION != 0x020c01ff
#error "headers.c was reviewed against librdkafka 2.12.1 only: see the list in its heading comment"
#endif

/* Points `bytes` to the headers of a message that was consumed, and returns their length; 0 without any. */
size_t nka_message_headers(const rd_kafka_message_t *rkmessage, const void **bytes) {
        const rd_kafka_msg_t *rkm = rd_kafka_message2msg((rd_kafka_message_t *)rkmessage);

        *bytes = rkm->rkm_u.consumer.binhdrs.data;
        return *bytes ? (size_t)RD_KAFKAP_BYTES_LEN(&rkm->rkm_u.consumer.binhdrs) : 0;
}
