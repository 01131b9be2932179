import type { Environment } from 'rivulet'

/** The runtime's own time, but where a machine is busy for longer than the core's deadlines, it does not count. */
export const PATIENT: Environment = {
  nowMs: () => performance.now(),
  dateMs: () => Date.now(),
  random: () => Math.random(),
  setTimer(action, waitMs) {
    const timer = setTimeout(action, waitMs >= SHORTEST_DEADLINE_MS ? 10 * waitMs : waitMs)
    return () => clearTimeout(timer)
  },
}
const SHORTEST_DEADLINE_MS = 2_000
