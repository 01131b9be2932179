// Prints the number of messages of a recording.
import { Playback } from '../../src/index.ts'

const [file = ''] = process.argv.slice(2)
const playback = new Playback(file)
await playback.size()
await playback.check(new AbortController().signal)
console.log(playback.progress.messages)
