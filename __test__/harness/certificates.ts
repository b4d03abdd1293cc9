import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The password of the stores that Kafka reads. */
export const STORE_PASSWORD = 'broker-secret';

/** A folder with certificates, made by openssl. */
export class Certificates {
  readonly #folder = mkdtempSync(join(tmpdir(), 'nestjs-kafka-native-certificates-'));

  /** The path of a file. */
  file(name: string): string {
    return join(this.#folder, name);
  }

  /** The content of a file. */
  text(name: string): string {
    return readFileSync(this.file(name), 'utf8');
  }

  /** An authority: `<name>.pem` and `<name>.key`. */
  authority(name: string): void {
    const key = ['-newkey', 'rsa:2048', '-nodes', '-keyout', `${name}.key`, '-subj', `/CN=${name}`];
    this.#openssl('req', '-x509', ...key, '-days', '90', '-out', `${name}.pem`);
  }

  /**
   * A certificate for an address (`IP:…`) or a name (`DNS:…`), signed by the authority `ca` and, unless its key has a passphrase, `<name>.p12`, the store that
   * Kafka reads.
   */
  signed(name: string, { address = 'IP:127.0.0.1', days = 2, passphrase = '' } = {}): void {
    const protection = passphrase ? ['-passout', `pass:${passphrase}`] : ['-nodes'];
    const key = ['-newkey', 'rsa:2048', ...protection, '-keyout', `${name}.key`, '-subj', `/CN=${name}`];
    this.#openssl('req', ...key, '-addext', `subjectAltName=${address}`, '-out', `${name}.csr`);
    const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-days', String(days), '-copy_extensions', 'copy'];
    this.#openssl('x509', '-req', '-in', `${name}.csr`, ...by, '-out', `${name}.pem`);
    if (passphrase) return;
    const what = ['-in', `${name}.pem`, '-inkey', `${name}.key`, '-certfile', 'ca.pem'];
    const store = ['-out', `${name}.p12`, '-passout', `pass:${STORE_PASSWORD}`];
    this.#openssl('pkcs12', '-export', ...what, ...store);
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.#folder, stdio: 'pipe' });
  }

  dispose(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
