/** A step of the release workflow that runs something. */
export interface ReleaseStep {
  job: string;
  place: number;
  name: string;
  run: string;
  env: Record<string, string>;
  /** Why a rehearsal leaves it out. */
  without?: string;
}

/** The steps, in the order of the workflow. */
export function releaseSteps(): ReleaseStep[];
/** Steps that are said to be left out and are not there any more. */
export function staleExceptions(): string[];
