/**
 * Amazon MSK with IAM access control, with tokens signed by the package `aws-msk-iam-sasl-signer-js`, which the
 * application installs. It is loaded when the first token is signed.
 *
 * @packageDocumentation
 */
export { mskIam, type MskIamOptions, type MskIamSasl } from './msk-iam/msk-iam.js';
export type { AwsCredentials, MskIamSigner, MskIamToken } from './msk-iam/signer.js';
