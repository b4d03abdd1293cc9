import { startBroker, type Broker } from '../broker/start.mjs';

/** The line that lets these users log in by SASL/PLAIN. */
export function plainUsers(passwords: Readonly<Record<string, string>>): string {
  const users = Object.entries(passwords).map(([user, password]) => `user_${user}="${password}"`);
  return `org.apache.kafka.common.security.plain.PlainLoginModule required ${users.join(' ')};`;
}

/** A broker with access rules for authenticated users; unauthenticated ones may do everything. */
export const WITH_RULES = {
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'super.users': 'User:ANONYMOUS',
};

/** Starts a broker with access rules: `broker.brokers` needs no authentication, `secured` is for these users. */
export async function startSecuredBroker(
  passwords: Readonly<Record<string, string>>,
  more: Readonly<Record<string, string | number>> = {},
): Promise<{ broker: Broker; secured: string }> {
  let secured = '';
  const broker = await startBroker({
    properties: ({ port, controllerPort }) => {
      secured = `127.0.0.1:${port + 20}`;
      const clients = [`PLAINTEXT://127.0.0.1:${port}`, `SASL_PLAINTEXT://${secured}`];
      return {
        listeners: [...clients, `CONTROLLER://127.0.0.1:${controllerPort}`].join(','),
        'advertised.listeners': clients.join(','),
        'inter.broker.listener.name': 'PLAINTEXT',
        'listener.security.protocol.map':
          'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT',
        'sasl.enabled.mechanisms': 'PLAIN',
        'listener.name.sasl_plaintext.plain.sasl.jaas.config': plainUsers(passwords),
        ...WITH_RULES,
        ...more,
      };
    },
  });
  return { broker, secured };
}
