import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { KafkaJSNotImplemented } from '../errors/index.js';
import { CompressionTypes } from '../types/index.js';

/** A codec as programs register it with kafkajs. */
export interface CompressionCodec {
  /** Compresses the contents of the encoder's buffer. */
  compress(encoder: {
    /** The bytes to compress. */
    buffer: Buffer;
  }): Promise<Buffer>;
  /** Decompresses bytes. */
  decompress(buffer: Buffer): Promise<Buffer>;
}

const gzipCodec: CompressionCodec = {
  compress: ({ buffer }) => promisify(gzip)(buffer),
  decompress: (buffer) => promisify(gunzip)(buffer),
};

const inTheCore = (name: string) => (): never => {
  throw new KafkaJSNotImplemented(
    `The ${name} codec cannot be called from JavaScript: messages are compressed and decompressed without registering one; send with CompressionTypes.${name}`,
  );
};

/**
 * kafkajs's codecs by compression, for programs that register codecs there. All of {@link CompressionTypes} are built
 * in; codecs registered here are not used.
 */
export const CompressionCodecs: Record<number, () => CompressionCodec> = {
  [CompressionTypes.GZIP]: () => gzipCodec,
  [CompressionTypes.Snappy]: inTheCore('Snappy'),
  [CompressionTypes.LZ4]: inTheCore('LZ4'),
  [CompressionTypes.ZSTD]: inTheCore('ZSTD'),
};
