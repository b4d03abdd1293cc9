import { KafkaJSNonRetriableError } from '../kafkajs/errors/index.js';

const PACKAGE = 'aws-msk-iam-sasl-signer-js';

/** Credentials of AWS, as its SDK has them. */
export interface AwsCredentials {
  /** The id of the access key. */
  readonly accessKeyId: string;
  /** The secret access key. */
  readonly secretAccessKey: string;
  /** Of temporary credentials. */
  readonly sessionToken?: string;
  /** Until when temporary credentials are good; a token is never good for longer. */
  readonly expiration?: Date;
}

/** A token, as `aws-msk-iam-sasl-signer-js` signs it. */
export interface MskIamToken {
  /** What the broker is shown. */
  token: string;
  /** Until when it is good, in milliseconds since the epoch. */
  expiryTime: number;
}

/** The functions of `aws-msk-iam-sasl-signer-js`. */
export interface MskIamSigner {
  /** Signs with what the SDK finds: environment, shared configuration, container or instance. */
  generateAuthToken(options: { region: string }): Promise<MskIamToken>;
  /** Signs with a profile of the shared configuration. */
  generateAuthTokenFromProfile(options: { region: string; awsProfileName: string }): Promise<MskIamToken>;
  /** Signs as a role. */
  generateAuthTokenFromRole(options: {
    region: string;
    awsRoleArn: string;
    awsRoleSessionName?: string;
  }): Promise<MskIamToken>;
  /** Signs with given credentials. */
  generateAuthTokenFromCredentialsProvider(options: {
    region: string;
    awsCredentialsProvider: () => Promise<AwsCredentials>;
  }): Promise<MskIamToken>;
}

/** Loads the package where a token is wanted: who has another mechanism need not have it. */
export async function loadSigner(): Promise<MskIamSigner> {
  try {
    const loaded = (await import(PACKAGE)) as MskIamSigner & { default?: MskIamSigner };
    return loaded.default ?? loaded;
  } catch (cause) {
    throw new KafkaJSNonRetriableError(
      `mskIam() signs with the package ${PACKAGE}, which cannot be loaded: npm install ${PACKAGE}`,
      { cause: cause as Error },
    );
  }
}
