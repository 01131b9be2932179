// The worker of `threads.mjs`: answers every message.
import { openHub } from 'rivulet'

const hub = await openHub('threads:runtimes')
const answers = hub.stream('answers', { limit: false })
const questions = hub.stream('questions', { limit: false })
await questions.subscribe(({ data }) => answers.publish({ answer: data.n })).ready
// What it listens to holds a worker; its hub does not.
globalThis.onmessage = () => {}
postMessage('ready')
