/** A problem: something that will not work, or not as intended. */
export interface Finding {
  /** The kind of problem; stable, for scripts. */
  readonly id: string;
  readonly severity: 'error' | 'warning';
  /** What is wrong, with the name of the option, topic or group. */
  readonly what: string;
  /** The consequence. */
  readonly why: string;
  /** The line to change, or the command to run. */
  readonly fix: string;
}

/** The doctor's report. */
export interface Diagnosis {
  readonly findings: readonly Finding[];
  /** Differences that are not problems. */
  readonly notes: readonly string[];
  /** What was checked, so that a report without findings is meaningful. */
  readonly checked: readonly string[];
}

/** Collects findings; equal ones count once. */
export class Diagnoses {
  readonly #findings = new Map<string, Finding>();
  readonly #notes = new Set<string>();
  readonly #checked = new Set<string>();

  /** A problem that keeps the application from working. */
  error(id: string, finding: Pick<Finding, 'what' | 'why' | 'fix'>): void {
    this.#add({ id, severity: 'error', ...finding });
  }

  /** Something that may be intended, but often is not. */
  warning(id: string, finding: Pick<Finding, 'what' | 'why' | 'fix'>): void {
    this.#add({ id, severity: 'warning', ...finding });
  }

  #add(finding: Finding): void {
    const key = `${finding.id} ${finding.what}`;
    if (!this.#findings.has(key)) this.#findings.set(key, finding);
  }

  note(text: string): void {
    this.#notes.add(text);
  }

  checked(what: string): void {
    this.#checked.add(what);
  }

  /** Adds the report of another process. */
  include({ findings, notes, checked }: Diagnosis): void {
    for (const finding of findings) this.#add(finding);
    for (const note of notes) this.note(note);
    for (const what of checked) this.checked(what);
  }

  /** The report, with errors first. */
  diagnosis(): Diagnosis {
    const all = [...this.#findings.values()];
    return {
      findings: [
        ...all.filter(({ severity }) => severity === 'error'),
        ...all.filter(({ severity }) => severity === 'warning'),
      ],
      notes: [...this.#notes],
      checked: [...this.#checked],
    };
  }
}

/** `1 server`, `2 servers`. */
export const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

/** The fix for a request that failed. */
export const MEND_AND_REPEAT = 'Mend what the reason names, then look again';
