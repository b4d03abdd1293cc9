import { KafkaJSNonRetriableError } from '../kafkajs/errors/index.js';

const PACKAGE = 'aws-msk-iam-sasl-signer-js';

/** AWS credentials in the form of its SDK. */
export interface AwsCredentials {
  /** The id of the access key. */
  readonly accessKeyId: string;
  /** The secret access key. */
  readonly secretAccessKey: string;
  /** Of temporary credentials. */
  readonly sessionToken?: string;
  /** When temporary credentials expire; a token is never valid for longer. */
  readonly expiration?: Date;
}

/** A token signed by `aws-msk-iam-sasl-signer-js`. */
export interface MskIamToken {
  /** The token itself. */
  token: string;
  /** When it expires, in milliseconds since the epoch. */
  expiryTime: number;
}

/** The functions of `aws-msk-iam-sasl-signer-js`. */
export interface MskIamSigner {
  /**
   * Signs with the credentials that the SDK finds in the environment, the shared configuration, the container or the
   * instance.
   */
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

/** Loads the package for the first token: applications with another SASL mechanism need not install it. */
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
