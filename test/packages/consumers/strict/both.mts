import { memoryBus } from '@rivulet/memory'
import { createHub, type Hub, type Message, RivuletError, type Stream, type Subscription } from 'rivulet'
import * as common from './common.cjs'

// Each type of an ES module is that of CommonJS, and the other way round.
const hub = createHub()
common.takeHub(hub)
common.takeError(new RivuletError('HUB_CLOSED', 'closed'))
common.takeTransport(memoryBus().transport())
const ofCommonJs: Hub = common.hub
const stream: Stream<{ n: number }> = ofCommonJs.stream<{ n: number }>('numbers')
const subscription: Subscription = stream.subscribe(() => {})
const message: Message<{ readonly n: number }> = common.hub.stream<{ n: number }>('numbers').publish({ n: 1 })
// @ts-expect-error: an object that lacks most of a hub is none.
common.takeHub({ name: 'fleet' })
export const all = { subscription, message }
