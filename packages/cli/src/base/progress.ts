import { SingleBar } from 'cli-progress'

const EVERY_MS = 200

/** A progress line on the terminal. */
export interface Progress {
  /** Removes the line. */
  stop(): void
}

/**
 * Shows a line on standard error while a command works, if that is a terminal. `format` is a format of cli-progress;
 * `state` returns its values, and how much of `total` is done.
 */
export function showProgress(
  isQuiet: boolean,
  format: string,
  total: number,
  state: () => { readonly done: number; readonly [name: string]: unknown },
): Progress {
  if (isQuiet || process.stderr.isTTY !== true) return { stop() {} }
  const bar = new SingleBar({
    format,
    stream: process.stderr,
    clearOnComplete: true,
    gracefulExit: false,
    hideCursor: false,
    barsize: 30,
    barCompleteChar: '█',
    barIncompleteChar: '░',
  })
  const update = () => {
    const { done, ...payload } = state()
    bar.update(Math.min(done, total), payload)
  }
  const { done, ...payload } = state()
  bar.start(total, done, payload)
  const timer = setInterval(update, EVERY_MS)
  return {
    stop() {
      clearInterval(timer)
      bar.stop()
    },
  }
}
