import type { Hub } from 'rivulet'
import { expect, test } from 'vitest'
import { startMosquitto } from '../support/brokers.ts'
import { closeLawfully, ending, eventually, openLive } from '../support/live.ts'

// Row 15: two hubs that were given one client id throw each other out, each losing half of its messages. Only
// MQTT has client ids.
test.each([5, 4])(
  'of two hubs with one client id one stands back and says so, protocol %i',
  async (protocol) => {
    const broker = await ending(startMosquitto())
    const url = `${broker.url}?protocol=${protocol}`
    const witness = await openLive(url)
    const heard: unknown[] = []
    await witness.stream('rivals').subscribe(({ data }) => heard.push(data)).ready
    const rivals = [await openLive(`${url}&clientId=mine`), await openLive(`${url}&clientId=mine`)]
    const errors = rivals.map(errorsOf)

    const standsBack = () => rivals.filter((_, index) => errors[index]?.some(isTakeOver))
    await eventually(() => standsBack().length).toBe(1)
    const [loser] = standsBack() as [Hub]
    const winner = rivals.find((hub) => hub !== loser) as Hub
    await winner.ready()
    await expect(loser.ready()).rejects.toMatchObject({ code: 'TRANSPORT_FAILED' })
    expect(loser.status).toBe('down')

    loser.stream('rivals').publish({ by: 'loser' })
    winner.stream('rivals').publish({ by: 'winner' })
    await winner.flush()
    await eventually(() => heard).toEqual([{ by: 'winner' }])
    const [lost, won] = await closeLawfully(loser, winner)
    expect([lost?.lost.offline, won?.confirmed]).toEqual([1, 1])
  },
)

function errorsOf(hub: Hub): unknown[] {
  const errors: unknown[] = []
  hub.on('error', (error) => errors.push(error))
  return errors
}

function isTakeOver(error: unknown): boolean {
  return (
    error instanceof Error && error.message.includes('Another client took the MQTT client id "mine" over')
  )
}
