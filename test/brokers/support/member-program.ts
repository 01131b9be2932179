// A member in a process of its own, driven over IPC. It ends by itself once its hub is closed and its parent has
// hung up, if nothing else keeps it alive.
import { Member } from './member.ts'

interface Request {
  readonly id: number
  readonly act: string
  readonly args: readonly unknown[]
}

const send = (answer: object) => process.send?.(answer)
const member = new Member((change) => send({ change }))

process.on('message', async ({ id, act, args }: Request) => {
  try {
    const acts = member as unknown as Record<string, (...args: readonly unknown[]) => unknown>
    send({ id, value: await acts[act]?.(...args) })
  } catch (error) {
    send({ id, error: error instanceof Error ? error.stack : String(error) })
  }
})

process.on('disconnect', () => {
  if (member.isOpen) process.exit(1)
})
