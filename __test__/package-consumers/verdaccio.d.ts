// The package's own types are not where its package.json says.
declare module 'verdaccio' {
  export function runServer(config: object): Promise<import('node:http').Server>;
}
