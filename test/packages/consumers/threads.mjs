// Exchanges messages with a worker, in a runtime that has web workers, and prints what came back.
import { openHub } from 'rivulet'

const COUNT = 2_000
// What Deno holds for a thread that is behind, with some room.
const AT_ONCE = 200
const hub = await openHub('threads:runtimes')
const worker = new Worker(new URL('./threads-worker.mjs', import.meta.url), { type: 'module' })
await new Promise((resolve) => {
  worker.onmessage = resolve
})
const heard = []
const all = new Promise((resolve) => {
  hub.stream('answers', { limit: false }).subscribe(({ data }) => {
    heard.push(data.answer)
    if (heard.length === COUNT) resolve()
  })
})
await hub.ready()
const questions = hub.stream('questions', { limit: false })
for (let n = 1; n <= COUNT; n += 1) {
  questions.publish({ n })
  if (n % AT_ONCE === 0) await hub.flush()
}
await all
const { confirmed, missed } = await hub.close()
worker.terminate()
const inOrder = heard.every((answer, index) => answer === index + 1)
console.log(JSON.stringify({ heard: heard.length, inOrder, confirmed, missed }))
