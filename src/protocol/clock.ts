// Time is an argument. Milliseconds since the epoch.
export type Clock = () => number

/**
 * A wall clock may jump ahead and be set back. What refuses something (a revocation, a replay mark) outlives its expiry by a day,
 * so that a jump deletes nothing that the time after it still needs.
 */
export const CLOCK_GRACE = 24 * 3_600_000
