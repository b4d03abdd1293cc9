import { Controller } from '@nestjs/common';
import { Ctx, EventPattern, KafkaContext, MessagePattern, Payload } from '@nestjs/microservices';

interface KillDragon {
  heroId: string;
  dragonId: string;
}

/** The handlers of the service: nothing in them knows which transport brings the messages. */
@Controller()
export class HeroController {
  /** Answers a request: what it returns is the reply. */
  @MessagePattern('hero.kill.dragon')
  killDragon(@Payload() message: KillDragon, @Ctx() context: KafkaContext) {
    console.log(`${message.heroId} fights ${message.dragonId}  (${where(context)})`);
    return [
      { id: 1, name: 'Mythical Sword' },
      { id: 2, name: 'Key to Dungeon' },
    ];
  }

  /** Handles an event: nobody waits for an answer. */
  @EventPattern<string>('hero.dragon.killed')
  dragonKilled(@Payload() event: KillDragon, @Ctx() context: KafkaContext) {
    console.log(`heard that ${event.heroId} killed ${event.dragonId}  (${where(context)})`);
  }
}

function where(context: KafkaContext): string {
  const { offset } = context.getMessage();
  return `topic ${context.getTopic()}, partition ${context.getPartition()}, offset ${offset}`;
}
