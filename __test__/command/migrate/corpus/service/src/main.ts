import { NestFactory } from "@nestjs/core";
import { MicroserviceOptions, Transport } from "@nestjs/microservices";
import { AppModule } from "./app.module";

async function bootstrap() {
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, {
    transport: Transport.KAFKA, // see the wiki
    options: {
      client: { clientId: "hero",   brokers: ["localhost:9092"] },
      consumer: { groupId: "hero-consumer" }, // ours alone
    },
  });
  await app.listen();
}
bootstrap();
