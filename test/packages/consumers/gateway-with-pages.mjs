import { createGateway, relay } from '@rivulet/twilio'
import { createHub } from 'rivulet'

const key = { sid: `SK${'b'.repeat(32)}`, secret: 'a secret of 32 characters or more' }
const carried = relay()
export default createGateway({ hub: createHub({ transport: carried }), relay: carried, keys: [key] })
