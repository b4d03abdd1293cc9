import { Module } from '@nestjs/common';
import { ClientsModule } from '@nestjs/microservices';
import { clientOptions } from '@app/kafka';

@Module({ imports: [ClientsModule.register([{ name: 'ORDERS', ...clientOptions('gateway') }])] })
export class GatewayModule {}
