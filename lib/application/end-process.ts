/** Ends the process with code 1 once what was printed before is out: to a pipe, it is written later. */
export function endProcess(): void {
  process.exitCode = 1;
  process.stdout.write('', () => process.stderr.write('', () => process.exit()));
}
