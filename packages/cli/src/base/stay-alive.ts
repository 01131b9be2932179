/** The longest that a timer can be. */
const LONG_MS = 2 ** 31 - 1

/** Keeps the process alive until it is ended: timers of a hub do not, and a hub without a broker has no socket. */
export function stayAlive(): void {
  setInterval(() => {}, LONG_MS)
}
