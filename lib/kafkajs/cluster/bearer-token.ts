import { call, type NativeAdmin, type NativeConsumer, type NativeProducer } from '../../native/index.js';
import { own } from '../../application/callbacks.js';
import { messageOf } from '../../values/describe.js';
import { KafkaJSSASLAuthenticationError } from '../errors/index.js';
import type { Logger, OauthbearerProviderResponse } from '../types/index.js';

/** The application's function that returns a token. */
export type BearerProvider = () => Promise<OauthbearerProviderResponse>;

/** The client that takes a token, or the reason why there is none. */
type TokenTaker = Pick<
  NativeProducer | NativeConsumer | NativeAdmin,
  'setBearerToken' | 'setBearerTokenFailure'
>;

/** The core's error for what a closed client is asked. */
const CLOSED = '_DESTROY';
/** How long a provider may take before the core is told that there is no token, in milliseconds. */
const PATIENCE = 10_000;

/**
 * Answers the core's event that asks for a token. A failure becomes the error of `connect()`; the core asks again
 * after ten seconds, but not while it has no answer: so a provider that gives none for ten seconds has failed. A token that comes
 * later is taken.
 */
export function supplyToken(provider: BearerProvider | undefined, native: TokenTaker, logger: Logger): void {
  let isAnswered = false;
  const failed = (error: unknown): void => {
    clearTimeout(timer);
    if (isAnswered) return;
    isAnswered = true;
    // The core takes no failure without a text, and would not ask again.
    const message = messageOf(error) || 'sasl.oauthBearerProvider has failed without a reason';
    try {
      call(() => native.setBearerTokenFailure(message));
    } catch (refusal) {
      // The client was closed meanwhile: the token is no longer needed, and nobody looks for the reason.
      if (((refusal as Error).cause as { type?: unknown } | undefined)?.type === CLOSED) return;
    }
    logger.error(`No token for SASL OAUTHBEARER: ${message}`);
  };
  const late = new Error(`sasl.oauthBearerProvider has not answered within ${PATIENCE} ms`);
  const timer = setTimeout(() => failed(late), PATIENCE).unref();
  const supply = async (): Promise<void> => {
    const answer: unknown = await provider?.();
    call(() => native.setBearerToken(tokenOf(answer)));
    clearTimeout(timer);
    isAnswered = true;
  };
  own(supply(), failed);
}

/** The data that librdkafka needs beside the token; a JWT contains it. */
export function tokenOf(answer: unknown): Parameters<NativeProducer['setBearerToken']>[0] {
  const { value, lifetime, principal, extensions } = (answer ?? {}) as Partial<OauthbearerProviderResponse>;
  if (typeof value !== 'string' || value === '') {
    throw new KafkaJSSASLAuthenticationError('sasl.oauthBearerProvider must answer { value }, the token');
  }
  const claims = lifetime === undefined || principal === undefined ? claimsOf(value) : undefined;
  const until = lifetime ?? Number(claims?.['exp']) * 1000;
  if (!Number.isFinite(until)) {
    const what = claims === undefined ? 'is no JWT' : 'is a JWT without "exp"';
    throw new KafkaJSSASLAuthenticationError(
      `The token of sasl.oauthBearerProvider ${what}: answer { value, lifetime } with the time until which it is good, in milliseconds since the epoch`,
    );
  }
  const subject = principal ?? claims?.['sub'];
  return {
    value,
    lifetime: String(Math.min(Math.floor(until), Number.MAX_SAFE_INTEGER)),
    principal: typeof subject === 'string' ? subject : '',
    extensions: Object.entries(extensions ?? {}).flat(),
  };
}

/** The claims of a JWT; undefined for other tokens. */
function claimsOf(token: string): Record<string, unknown> | undefined {
  const [, payload, ...rest] = token.split('.');
  if (payload === undefined || rest.length !== 1) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    return typeof claims === 'object' && claims !== null ? (claims as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
