import { ClientProxyFactory, Transport } from '@nestjs/microservices';

export function microserviceOptions(options) {
  return { transport: Transport.KAFKA, options };
}

export function createClient(options) {
  return ClientProxyFactory.create({ transport: Transport.KAFKA, options });
}
