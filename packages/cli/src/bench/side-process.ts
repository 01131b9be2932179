import { exitCodeOf } from '../base/exit-code.ts'
import { sentenceOf } from '../base/perform.ts'
import { stayAlive } from '../base/stay-alive.ts'
import type { SideAnswer, SideRequest } from './child-side.ts'
import { LocalSide } from './local-side.ts'

/** Does one part of the bench in this process, as its parent tells it. Ends the process when the parent is gone. */
export function runSide(): void {
  const stopping = new AbortController()
  let side: LocalSide | undefined
  const answer = (message: SideAnswer) => void process.send?.(message, () => {})
  // Ctrl-C reaches every process of a terminal; the parent says what is to be done.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {})
  process.on('disconnect', () => process.exit())
  stayAlive()

  async function obey(request: SideRequest): Promise<void> {
    if (request.ask === 'stop') return stopping.abort()
    if (request.ask === 'acknowledge') return side?.acknowledge(request.receiver, request.count)
    if (request.ask === 'open') {
      side = new LocalSide(request.order, stopping.signal, (receiver, count) => answer({ receiver, count }))
    }
    const report = await side?.[request.ask]()
    answer({ done: request.ask, ...(report && { report }) })
  }

  process.on('message', (request: SideRequest) => {
    obey(request).catch((error) => answer({ failed: sentenceOf(error), exitCode: exitCodeOf(error) }))
  })
}
