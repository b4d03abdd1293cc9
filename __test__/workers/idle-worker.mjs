export const nothing = 'it never calls serveKafkaWorker()';
