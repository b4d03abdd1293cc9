/** The folder of Kafka's jars; downloads them if they are not there yet, and tells how far that is. */
export function kafkaJars(progress: (line: string) => void): Promise<string>;
