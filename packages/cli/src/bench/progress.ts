import { type Options, Presets, SingleBar } from 'cli-progress'

const STEP_MS = 100

/** Shows on a terminal how much of the time is over. Gives the function that ends it. */
export function showProgress(title: string, durationMs: number, isWanted: boolean): () => void {
  // Standard error is where it goes, and only a terminal can overwrite a line.
  if (!isWanted || process.stderr.isTTY !== true) return () => {}
  const options: Options = {
    format: `${title} {bar} {percentage} %`,
    clearOnComplete: true,
    hideCursor: true,
  }
  const bar = new SingleBar(options, Presets.shades_classic)
  const startMs = performance.now()
  bar.start(durationMs, 0)
  const timer = setInterval(() => bar.update(Math.min(durationMs, performance.now() - startMs)), STEP_MS)
  return () => {
    clearInterval(timer)
    bar.stop()
  }
}
