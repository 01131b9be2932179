import { SingleBar } from 'cli-progress'

/**
 * Shows how far a suite is: a bar on a terminal, and elsewhere a line for each case. On standard error, so that
 * the figures can be redirected.
 */
export function createProgress(suite, cases) {
  return process.stderr.isTTY ? barFor(suite, cases) : linesFor(suite, cases)
}

function barFor(suite, cases) {
  const bar = new SingleBar({
    format: `${suite} {bar} {percentage}% | {name}`,
    ...{ stream: process.stderr, barsize: 30, clearOnComplete: true, hideCursor: true, gracefulExit: false },
  })
  let done = -1
  return {
    start(name) {
      done++
      bar.start(cases, done, { name })
    },
    advance: (share) => bar.update(done + share),
    pause: () => bar.stop(),
    stop: () => bar.stop(),
  }
}

function linesFor(suite, cases) {
  let done = 0
  return {
    start: (name) => console.error(`${suite}: case ${++done} of ${cases}, ${name}`),
    advance() {},
    pause() {},
    stop() {},
  }
}
