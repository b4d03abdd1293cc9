import { NestFactory } from '@nestjs/core';
import { serverOptions } from '@app/kafka';

class OrdersModule {}

void NestFactory.createMicroservice(OrdersModule, serverOptions).then((app) => app.listen());
