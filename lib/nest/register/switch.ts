/** The environment variable that switches the registration on or off. */
export const VARIABLE = 'NESTJS_KAFKA_NATIVE';

const ON = new Set(['', 'on', '1', 'true']);
const OFF = new Set(['off', '0', 'false']);

/**
 * Whether the variable switches the registration on; on if it is not set.
 *
 * @throws Error for an unknown value, which might be meant either way
 */
export function isSwitchedOn(value: string = process.env[VARIABLE] ?? ''): boolean {
  const word = value.trim().toLowerCase();
  if (ON.has(word)) return true;
  if (OFF.has(word)) return false;
  throw new Error(
    `${VARIABLE} is ${JSON.stringify(value)}: use on (also 1, true; the default) to have nestjs-kafka-native serve ` +
      'Transport.KAFKA, or off (also 0, false) to leave it to kafkajs',
  );
}
