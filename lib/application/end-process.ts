/** Ends the process with code 1 once earlier output has been written, which for pipes happens asynchronously. */
export function endProcess(): void {
  process.exitCode = 1;
  process.stdout.write('', () => process.stderr.write('', () => process.exit()));
}
