import { createGateway } from '@rivulet/twilio'
import { createHub } from 'rivulet'

const key = { sid: `SK${'b'.repeat(32)}`, secret: 'a secret of 32 characters or more' }
export default createGateway({ hub: createHub(), keys: [key] })
