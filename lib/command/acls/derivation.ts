import type { Application } from '../inspection/application.js';
import { accessRules, unknownRules, type AccessRule } from './rules.js';

/** The result of `acls` in the application's process. */
export interface Derived {
  readonly rules: readonly AccessRule[];
  /** Rules that the user has to add. */
  readonly notes: readonly string[];
}

/** Derives the rules, in the application's own process. */
export default function derive(
  application: Application,
  options: { produces: readonly string[]; creates: boolean },
): Promise<Derived> {
  return Promise.resolve({ rules: accessRules(application, options), notes: unknownRules(application) });
}
