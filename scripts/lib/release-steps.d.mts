/** A step of the release workflow that runs something. */
export interface ReleaseStep {
  job: string;
  place: number;
  name: string;
  run: string;
  env: Record<string, string>;
  /** Why a rehearsal skips it. */
  without?: string;
}

/** The steps, in the order of the workflow. */
export function releaseSteps(): ReleaseStep[];
/** Steps listed as skipped that no longer exist. */
export function staleExceptions(): string[];
