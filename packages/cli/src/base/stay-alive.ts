/** The longest timer. */
const LONG_MS = 2 ** 31 - 1

/** Keeps the process alive until it is ended: a hub's timers do not, and a hub without a broker has no socket. */
export function stayAlive(): void {
  setInterval(() => {}, LONG_MS)
}
