/** The brokers that the examples use: `KAFKA_BROKERS`, else one on this machine. */
export const brokers = (process.env.KAFKA_BROKERS ?? 'localhost:9092').split(',');
