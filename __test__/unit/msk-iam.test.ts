import { Kafka } from 'nestjs-kafka-native';
import { mskIam, type MskIamOptions, type MskIamSigner } from 'nestjs-kafka-native/msk-iam';
import { describe, expect, it, vi } from 'vitest';
import { tokenOf } from '../../lib/kafkajs/cluster/bearer-token';

const credentials = { accessKeyId: 'EXAMPLE', secretAccessKey: 'made-up', sessionToken: 'session' };

/** The address that the real signer has signed. */
async function signed(options: MskIamOptions): Promise<URL> {
  const { value } = await mskIam(options).oauthBearerProvider();
  return new URL(Buffer.from(value, 'base64url').toString());
}

describe('mskIam()', () => {
  it('signs tokens of MSK with the real package, until when they are good', async () => {
    const before = Date.now();
    const address = await signed({ region: 'eu-central-1', credentials });
    expect(address.origin).toBe('https://kafka.eu-central-1.amazonaws.com');
    const query = Object.fromEntries(address.searchParams);
    expect(query).toMatchObject({
      Action: 'kafka-cluster:Connect',
      'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
      'X-Amz-Expires': '900',
      'X-Amz-Security-Token': 'session',
      'X-Amz-SignedHeaders': 'host',
      'X-Amz-Signature': expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(query['X-Amz-Credential']).toMatch(/^EXAMPLE\/\d{8}\/eu-central-1\/kafka-cluster\/aws4_request$/);
    const token = tokenOf(await mskIam({ region: 'eu-central-1', credentials }).oauthBearerProvider());
    // Of whole seconds.
    expect(Number(token?.lifetime)).toBeGreaterThan(before + 898_000);
    expect(Number(token?.lifetime)).toBeLessThanOrEqual(Date.now() + 900_000);
  });

  it('asks for credentials for each token, which is never good for longer than they are', async () => {
    const expiration = new Date(Date.now() + 60_000);
    const provider = vi.fn(async () => ({ ...credentials, expiration }));
    const sasl = mskIam({ region: 'us-east-1', credentials: provider });
    const { lifetime } = await sasl.oauthBearerProvider();
    expect(lifetime).toBeLessThanOrEqual(expiration.getTime());
    await sasl.oauthBearerProvider();
    expect(provider).toHaveBeenCalledTimes(2);
  });

  it('has the package find the credentials, by a profile, a role, or as the SDK does', async () => {
    const token = { token: 'signed', expiryTime: 1 };
    const signer = {
      generateAuthToken: vi.fn(async () => token),
      generateAuthTokenFromProfile: vi.fn(async () => token),
      generateAuthTokenFromRole: vi.fn(async () => token),
      generateAuthTokenFromCredentialsProvider: vi.fn(async () => token),
    } satisfies MskIamSigner;
    const region = 'eu-west-1';
    const role = { arn: 'arn:aws:iam::111122223333:role/orders', sessionName: 'orders' };
    for (const way of [{}, { profile: 'live' }, { role }]) {
      expect(await mskIam({ region, signer, ...way }).oauthBearerProvider()).toEqual({
        value: 'signed',
        lifetime: 1,
      });
    }
    expect(signer.generateAuthToken).toHaveBeenCalledWith({ region });
    expect(signer.generateAuthTokenFromProfile).toHaveBeenCalledWith({ region, awsProfileName: 'live' });
    expect(signer.generateAuthTokenFromRole).toHaveBeenCalledWith({
      region,
      awsRoleArn: role.arn,
      awsRoleSessionName: 'orders',
    });
  });

  it.each<[string, object]>([
    ["must be the cluster's region", {}],
    ['has no option zone: there are region', { region: 'x', zone: 'y' }],
    ['takes one of credentials, profile', { region: 'x', credentials, profile: 'live' }],
    ['must have accessKeyId and secretAccessKey', { region: 'x', credentials: { accessKeyId: 'a' } }],
  ])('%s', (message, options) => {
    expect(() => mskIam(options as MskIamOptions)).toThrow(message);
  });

  it('is an option of a client', () => {
    const sasl = mskIam({ region: 'eu-west-1' });
    expect(() => new Kafka({ brokers: ['b-1.example.com:9098'], ssl: true, sasl }).admin()).not.toThrow();
  });
});
