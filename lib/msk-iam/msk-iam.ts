import type { OauthbearerProviderResponse } from '../kafkajs/types/index.js';
import { loadSigner, type AwsCredentials, type MskIamSigner, type MskIamToken } from './signer.js';

/** Options of {@link mskIam}: at most one of `credentials`, `profile` and `role`. */
export interface MskIamOptions {
  /** The region of the cluster, for example `eu-central-1`. */
  region: string;
  /**
   * Credentials, or a function that returns them and is called for each token: for example a provider of
   * `@aws-sdk/credential-providers`. Default: those that the SDK finds in the environment, the shared configuration,
   * the container or the instance.
   */
  credentials?: AwsCredentials | (() => Promise<AwsCredentials>);
  /** A profile of the shared configuration. */
  profile?: string;
  /** A role to assume. */
  role?: {
    /** Its ARN: `arn:aws:iam::…:role/…`. */
    arn: string;
    /** Name of the session. Default: `MSKSASLDefaultSession`. */
    sessionName?: string;
  };
  /** The signer. Default: the package `aws-msk-iam-sasl-signer-js`, which the application installs. */
  signer?: MskIamSigner;
}

/** The result of {@link mskIam}: the option `sasl` of a client. */
export interface MskIamSasl {
  /** The SASL mechanism of Amazon MSK's tokens. */
  mechanism: 'oauthbearer';
  /** Signs a token; called at the start, and again after four fifths of the token's lifetime. */
  oauthBearerProvider: () => Promise<OauthbearerProviderResponse>;
}

const WAYS = ['credentials', 'profile', 'role'] as const;
const OPTIONS: readonly string[] = ['region', ...WAYS, 'signer'];

/**
 * The option `sasl` of clients of Amazon MSK with IAM access control:
 *
 * ```ts
 * new ServerKafka({ client: { brokers, ssl: true, sasl: mskIam({ region: 'eu-central-1' }) } });
 * ```
 *
 * @throws TypeError for an option that is unknown or wrong.
 */
export function mskIam(options: MskIamOptions): MskIamSasl {
  check(options);
  return {
    mechanism: 'oauthbearer',
    oauthBearerProvider: async () => {
      const { token, expiryTime } = await sign(options, options.signer ?? (await loadSigner()));
      return { value: token, lifetime: expiryTime };
    },
  };
}

function check(options: MskIamOptions): void {
  for (const name of Object.keys(options)) {
    if (!OPTIONS.includes(name)) {
      throw new TypeError(`mskIam() has no option ${name}: there are ${OPTIONS.join(', ')}`);
    }
  }
  if (typeof options.region !== 'string' || options.region === '') {
    throw new TypeError("Option region of mskIam() must be the cluster's region, for example 'eu-central-1'");
  }
  const given = WAYS.filter((name) => options[name] !== undefined);
  if (given.length > 1) {
    throw new TypeError(`mskIam() takes one of ${given.join(', ')}: each says who signs`);
  }
  const { credentials } = options;
  if (typeof credentials === 'object' && !(credentials.accessKeyId && credentials.secretAccessKey)) {
    throw new TypeError(
      'Option credentials of mskIam() must have accessKeyId and secretAccessKey, or be a function that answers them',
    );
  }
}

function sign(
  { region, credentials, profile, role }: MskIamOptions,
  signer: MskIamSigner,
): Promise<MskIamToken> {
  if (credentials !== undefined) {
    const awsCredentialsProvider =
      typeof credentials === 'function' ? credentials : () => Promise.resolve(credentials);
    return signer.generateAuthTokenFromCredentialsProvider({ region, awsCredentialsProvider });
  }
  if (profile !== undefined) return signer.generateAuthTokenFromProfile({ region, awsProfileName: profile });
  if (role !== undefined) {
    const { arn, sessionName } = role;
    return signer.generateAuthTokenFromRole({
      region,
      awsRoleArn: arn,
      awsRoleSessionName: sessionName,
    });
  }
  return signer.generateAuthToken({ region });
}
