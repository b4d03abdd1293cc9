/** An npm registry that has what is published to it, and passes on what npm's own has of others. */
export function startNpmRegistry(options: {
  /** Where it keeps what it has. */
  folder: string;
  /** The registry behind it. */
  upstream: string;
  /** Packages that never come from there. */
  own: string;
}): Promise<{ userConfig: string; stop(): Promise<void> }>;
