import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kafkaJars } from '../../broker/jars.mjs';
import { startBroker, type Broker } from '../../broker/start.mjs';
import { Certificates, STORE_PASSWORD } from '../certificates';

/** What these brokers know. */
export const KEYS = {
  authorizationIdentity: 'AIDAEXAMPLE:ärger',
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY=',
};
/** As long as those of AWS can be. */
export const SESSION_TOKEN = `FwoGZXIvYXdzE${'a+/'.repeat(1300)}==`;

/** Why such brokers cannot be had here, for the name of the tests that are left out. */
export const withoutCompiler =
  spawnSync('javac', ['-version']).status === 0
    ? ''
    : ', left out: javac, the compiler of a JDK, is not on the PATH';

/** A broker with kafkajs's mechanism AWS, which Kafka itself does not have. */
export class AwsBroker {
  readonly #broker: Broker;
  readonly #certificates: Certificates;
  readonly #folder: string;
  /** Of the listeners with AWS: one without TLS, one with, and one that ends connections whose keys are older than `session`. */
  readonly ports: { readonly sasl: number; readonly tls: number; readonly short: number };

  private constructor(broker: Broker, certificates: Certificates, folder: string, ports: AwsBroker['ports']) {
    this.#broker = broker;
    this.#certificates = certificates;
    this.#folder = folder;
    this.ports = ports;
  }

  static async start(session: number): Promise<AwsBroker> {
    const folder = mkdtempSync(join(tmpdir(), 'nestjs-kafka-native-sasl-aws-'));
    const jars = await kafkaJars((line) => process.stderr.write(`broker: ${line}\n`));
    const source = fileURLToPath(new URL('AwsLoginModule.java', import.meta.url));
    execFileSync('javac', ['-cp', join(jars, '*'), '-d', folder, source], { stdio: 'pipe' });
    const certificates = new Certificates();
    certificates.authority('ca');
    certificates.signed('broker');
    const options = { ...KEYS, sessionToken: SESSION_TOKEN, file: join(folder, 'tokens') };
    // In Base64: the file of settings is read as ISO 8859-1, and has signs of its own.
    const given = Object.entries(options).map(
      ([name, value]) => `${name}="${Buffer.from(value).toString('base64')}"`,
    );
    const login = `AwsLoginModule required ${given.join(' ')};`;
    const ports = { sasl: 0, tls: 0, short: 0 };
    const broker = await startBroker({
      classes: [folder],
      properties: ({ port, controllerPort }) => {
        for (const [index, name] of Object.keys(ports).entries()) {
          ports[name as keyof typeof ports] = port + 20 + 10 * index;
        }
        const clients = [
          `PLAINTEXT://127.0.0.1:${port}`,
          `SASL://127.0.0.1:${ports.sasl}`,
          `TLS://127.0.0.1:${ports.tls}`,
          `SHORT://127.0.0.1:${ports.short}`,
        ];
        return {
          listeners: [...clients, `CONTROLLER://127.0.0.1:${controllerPort}`].join(','),
          'advertised.listeners': clients.join(','),
          'inter.broker.listener.name': 'PLAINTEXT',
          'listener.security.protocol.map':
            'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SASL_SSL,SHORT:SASL_PLAINTEXT',
          'sasl.enabled.mechanisms': 'AWS',
          ...Object.fromEntries(
            ['sasl', 'tls', 'short'].map((name) => [`listener.name.${name}.aws.sasl.jaas.config`, login]),
          ),
          'listener.name.short.aws.connections.max.reauth.ms': session,
          'ssl.keystore.location': certificates.file('broker.p12'),
          'ssl.keystore.password': STORE_PASSWORD,
          'ssl.keystore.type': 'PKCS12',
        };
      },
    });
    return new AwsBroker(broker, certificates, folder, ports);
  }

  /** The authority of its certificate. */
  get authority(): string {
    return this.#certificates.text('ca.pem');
  }

  /** The path of a file beside its own, which goes with it. */
  file(name: string): string {
    return join(this.#folder, name);
  }

  /** All tokens that it has been sent so far. */
  get tokens(): string[] {
    const lines = readFileSync(this.file('tokens'), { encoding: 'ascii', flag: 'a+' }).split('\n');
    return lines.slice(0, -1).map((line) => Buffer.from(line, 'base64').toString('utf8'));
  }

  async dispose(): Promise<void> {
    await this.#broker.dispose();
    this.#certificates.dispose();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
