import { Controller, Module } from '@nestjs/common';
import { Ctx, EventPattern, KafkaContext, Payload, Transport } from '@nestjs/microservices';

@Controller()
export class HeroController {
  @EventPattern<string>('hero.killed', Transport.KAFKA)
  killed(@Payload() event: object, @Ctx() context: KafkaContext) {
    return [event, context.getTopic()];
  }
}

@Module({ controllers: [HeroController] })
export class AppModule {}
