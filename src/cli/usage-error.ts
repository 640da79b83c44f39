/** The arguments are wrong. The message says what is wrong; a pointer to the help follows it. */
export class UsageError extends Error {}
