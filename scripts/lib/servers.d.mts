/** Redis's program; undefined where it is not installed. */
export function redisServer(): string | undefined;
/** The folder of PostgreSQL's programs; undefined where it is not installed. */
export function postgresBinaries(): string | undefined;
