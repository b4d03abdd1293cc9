/** Something that will not work, or not as meant. */
export interface Finding {
  /** What kind it is; stable, for scripts. */
  readonly id: string;
  readonly severity: 'error' | 'warning';
  /** What is wrong, with the name of what it is about. */
  readonly what: string;
  /** What comes of it. */
  readonly why: string;
  /** The line to change, or the command to run. */
  readonly fix: string;
}

/** What the doctor says. */
export interface Diagnosis {
  readonly findings: readonly Finding[];
  /** What differs here, and is no fault. */
  readonly notes: readonly string[];
  /** What was looked at, so that a report without findings says of what. */
  readonly checked: readonly string[];
}

/** Collects what the checks find; the same finding counts once. */
export class Diagnoses {
  readonly #findings = new Map<string, Finding>();
  readonly #notes = new Set<string>();
  readonly #checked = new Set<string>();

  /** Something wrong that keeps the application from working. */
  error(id: string, finding: Pick<Finding, 'what' | 'why' | 'fix'>): void {
    this.#add({ id, severity: 'error', ...finding });
  }

  /** Something that may be meant, and often is not. */
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

  /** Takes over what another process has found. */
  include({ findings, notes, checked }: Diagnosis): void {
    for (const finding of findings) this.#add(finding);
    for (const note of notes) this.note(note);
    for (const what of checked) this.checked(what);
  }

  /** Errors first. */
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
