/** The middle value, or the mean of the two middle ones; null of no values. */
export function median(values) {
  const sorted = values.filter((value) => value !== null && value !== undefined).toSorted((a, b) => a - b);
  if (sorted.length === 0) return null;
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * The slope of the straight line that fits points best, by least squares; null for fewer than two points, or if all
 * have the same x.
 *
 * @param {[number, number][]} points
 */
export function slope(points) {
  const mean = (axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  let above = 0;
  let below = 0;
  for (const point of points) {
    above += (point[0] - x) * (point[1] - y);
    below += (point[0] - x) ** 2;
  }
  return below > 0 ? above / below : null;
}

/** Keeps every latency of a window, so that its percentiles are exact. */
export class Latencies {
  #values = new Float64Array(1 << 16);
  #count = 0;

  record(milliseconds) {
    if (this.#count === this.#values.length) {
      const grown = new Float64Array(this.#values.length * 2);
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[this.#count++] = milliseconds;
  }

  /** The recorded latencies as text, to be added to those of another process. */
  toText() {
    return Buffer.from(this.#values.buffer, 0, this.#count * Float64Array.BYTES_PER_ELEMENT).toString(
      'base64',
    );
  }

  /** Adds latencies that another process has written as text. */
  recordText(text) {
    const bytes = Buffer.from(text, 'base64');
    for (let at = 0; at < bytes.length; at += Float64Array.BYTES_PER_ELEMENT)
      this.record(bytes.readDoubleLE(at));
  }

  /** Percentiles in ms, by nearest rank. */
  summarise() {
    const sorted = this.#values.subarray(0, this.#count).toSorted();
    const rank = (share) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
    return { p50: rank(0.5), p99: rank(0.99), p999: rank(0.999), max: rank(1) };
  }
}
