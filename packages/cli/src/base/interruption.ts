/** The reason of an early end: a signal, or the end of the output's reader. */
export class Interruption extends Error {}

const SECOND_INTERRUPTION = 130

/**
 * Listens for Ctrl-C and SIGTERM, and aborts at the first one. The second one ends the process at once,
 * with 130.
 */
export function interruptions(): AbortController {
  const controller = new AbortController()
  let count = 0
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      count += 1
      if (count > 1) process.exit(SECOND_INTERRUPTION)
      controller.abort(new Interruption(`It was ended by ${signal}.`))
    })
  }
  return controller
}
