// A member in its own thread, controlled over its parent's port.
import { parentPort, workerData } from 'node:worker_threads'
import { Member } from '../../../test/brokers/support/member.ts'

interface Request {
  readonly id: number
  readonly act: string
  readonly args: readonly unknown[]
}

/** Set to end a block, see `MemberThread.block`. */
const gate = new Int32Array(workerData.gate)
const member = new Member((change) => parentPort?.postMessage({ change }))

parentPort?.on('message', async ({ id, act, args }: Request) => {
  try {
    if (act === 'blockUntilReleased') {
      parentPort?.postMessage({ id, value: undefined })
      Atomics.wait(gate, 0, 0)
      return
    }
    const acts = member as unknown as Record<string, (...args: readonly unknown[]) => unknown>
    parentPort?.postMessage({ id, value: await acts[act]?.(...args) })
  } catch (error) {
    parentPort?.postMessage({ id, error: error instanceof Error ? error.stack : String(error) })
  }
})
