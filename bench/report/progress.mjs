import { SingleBar } from 'cli-progress'

/**
 * Shows the progress of a suite: a bar on a terminal, and elsewhere a line for each case. On standard error, so that
 * the figures can be redirected.
 * @param {string} place the number of the suite, and of all suites
 */
export function createProgress(place, cases) {
  return process.stderr.isTTY ? barFor(place, cases) : linesFor(place, cases)
}

function barFor(place, cases) {
  const bar = new SingleBar({
    format: `${place} {bar} {percentage}% | {name}`,
    ...{ stream: process.stderr, barsize: 30, clearOnComplete: true, gracefulExit: false },
  })
  let done = -1
  return {
    start: (name) => bar.start(cases, ++done, { name }),
    advance: (share) => bar.update(done + share),
    stop: () => bar.stop(),
  }
}

function linesFor(place, cases) {
  let done = 0
  return {
    start: (name) => console.error(`${place}: case ${++done} of ${cases}, ${name}`),
    advance() {},
    stop() {},
  }
}
