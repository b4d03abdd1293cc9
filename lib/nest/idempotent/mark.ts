/** Metadata key of methods with `@Idempotent`: the same in all copies of the package. */
export const IDEMPOTENT = 'nestjs-kafka-native:idempotent';
