import { NestFactory } from "@nestjs/core";
import { MicroserviceOptions } from "@nestjs/microservices";
import { ServerKafka } from "nestjs-kafka-native";
import { AppModule } from "./app.module";

async function bootstrap() {
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(AppModule, {
    // see the wiki
    strategy: new ServerKafka({
      client: { clientId: "hero",   brokers: ["localhost:9092"] },
      consumer: { groupId: "hero-consumer" }, // ours alone
    }),
  });
  await app.listen();
}
bootstrap();
