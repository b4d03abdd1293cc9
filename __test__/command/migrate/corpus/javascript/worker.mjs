import { Kafka } from 'kafkajs'
import * as microservices from '@nestjs/microservices'
import { NestFactory } from '@nestjs/core'

export const producer = new Kafka({ brokers: ['a:1'] }).producer()
export const start = (module) =>
  NestFactory.createMicroservice(module, { transport: microservices.Transport.KAFKA })
