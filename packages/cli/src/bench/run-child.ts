import { exitCodeOf } from '../base/exit-code.ts'
import { sentenceOf } from '../base/perform.ts'
import { stayAlive } from '../base/stay-alive.ts'
import type { ChildRequest, ChildResponse } from './child-process.ts'
import { LocalBenchProcess } from './local-process.ts'

/** Runs one part of the bench in this process, by its parent's orders. Ends the process when the parent is gone. */
export function runChild(): void {
  const stopping = new AbortController()
  let part: LocalBenchProcess | undefined
  const answer = (message: ChildResponse) => void process.send?.(message, () => {})
  // Ctrl-C reaches every process of a terminal; the parent decides when to stop.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {})
  process.on('disconnect', () => process.exit())
  stayAlive()

  async function obey(request: ChildRequest): Promise<void> {
    if (request.ask === 'stop') return stopping.abort()
    if (request.ask === 'acknowledge') return part?.acknowledge(request.receiver, request.count)
    if (request.ask === 'open') {
      part = new LocalBenchProcess(request.order, stopping.signal, (receiver, count) =>
        answer({ receiver, count }),
      )
    }
    const report = await part?.[request.ask]()
    answer({ done: request.ask, ...(report && { report }) })
  }

  process.on('message', (request: ChildRequest) => {
    obey(request).catch((error) => answer({ failed: sentenceOf(error), exitCode: exitCodeOf(error) }))
  })
}
