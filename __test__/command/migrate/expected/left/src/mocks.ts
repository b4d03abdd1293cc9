import parser from 'kafkajs/src/protocol/decoder';

declare const jest: { mock(name: string): void };
jest.mock('kafkajs');

export { parser };
