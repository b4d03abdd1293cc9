import { Kafka } from 'nestjs-kafka-native/kafka'
import * as microservices from '@nestjs/microservices'
import { NestFactory } from '@nestjs/core'
import { ServerKafka } from 'nestjs-kafka-native'

export const producer = new Kafka({ brokers: ['a:1'] }).producer()
export const start = (module) =>
  NestFactory.createMicroservice(module, { strategy: new ServerKafka() })
