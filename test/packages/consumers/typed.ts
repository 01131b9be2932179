import { memoryBus } from '@rivulet/memory'
import { createHub, type Hub, RivuletError } from 'rivulet'

interface Position {
  truck: number
  at: Date
}

const bus = memoryBus()
const near: Hub = createHub({ transport: bus.transport() })
const far: Hub = createHub({ transport: bus.transport() })
// Options may be left undefined, whatever the compiler's settings.
const positions = far.stream<Position>('positions', { maxBytes: undefined, limit: { burst: undefined } })

const arrived = new Promise<{ truck: number; at: string }>((resolve) => {
  const listen = { signal: undefined }
  positions.subscribe((message) => {
    // @ts-expect-error: what arrives is read-only.
    const write = () => (message.data.truck = 8)
    const { truck, at } = message.data
    resolve({ truck: write.length + truck, at })
  }, listen)
})

async function main(): Promise<void> {
  await Promise.all([near.ready(), positions.subscribe(() => {}).ready])
  near.stream<Position>('positions').publish({ truck: 7, at: new Date(0) })
  // @ts-expect-error: a stream takes its own type only.
  const wrong = () => near.stream<Position>('positions').tryPublish({ truck: '7' })
  const data = await arrived
  await Promise.all([near.close(), far.close()])
  console.log(JSON.stringify({ ...data, lengths: wrong.length, kind: RivuletError.name }))
}

main()
