// Prints the number of messages received from a recording, and leaves everything open.
import { createHub } from 'rivulet'
import { replay } from '../../src/index.ts'

const [file = '', speed = ''] = process.argv.slice(2)
const ended = () => console.log(tap.ledger().delivered)
const hub = createHub({ transport: replay({ file, speed: speed === 'max' ? speed : Number(speed), ended }) })
const tap = hub.tap(() => {})
