// What evaluating conditions may cost. Arguments come from callers: the work is counted, not hoped to be small. One unit is at most about
// two microseconds; evaluation is synchronous, so one counter serves.
/** For all conditions of one decision together: less than 10 ms, and about 300 kB of texts. */
const BUDGET = 5_000
/** Characters that are looked at for one unit. */
const LETTERS = 64

let left = BUDGET

export function refillMeter(): void {
  left = BUDGET
}

/** Throws where nothing is left; whoever evaluates takes that as an error of the condition. */
export function spend(units: number): void {
  left -= units
  if (left < 0) throw new Error('the condition takes too long')
}

export const spendText = (letters: number): void => spend(letters / LETTERS)
