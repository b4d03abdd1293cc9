/**
 * Amazon MSK with IAM access control, by tokens that `aws-msk-iam-sasl-signer-js` signs, which the application installs: it is loaded
 * when the first token is signed.
 *
 * @packageDocumentation
 */
export { mskIam, type MskIamOptions, type MskIamSasl } from './msk-iam/msk-iam.js';
export type { AwsCredentials, MskIamSigner, MskIamToken } from './msk-iam/signer.js';
