/** A local npm registry with the packages published to it; other packages come from the upstream registry. */
export function startNpmRegistry(options: {
  /** Storage folder. */
  folder: string;
  /** The upstream registry. */
  upstream: string;
  /** Packages that never come from the upstream registry. */
  own: string;
}): Promise<{ userConfig: string; url: string; stop(): Promise<void> }>;
