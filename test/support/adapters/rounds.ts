import type { Transport } from 'rivulet'
import { POSITIONS, rejection, shortHost, within } from './waits.ts'

type Make = () => Transport
type GiveUp = (transport: Transport, control: AbortController) => unknown

/** The ways in which an adapter opens and closes. */
export interface Ways {
  /** Connects; the first of them 200 times. */
  readonly connecting: readonly [Make, ...Make[]]
  /** Is refused by its server. */
  readonly refused: Make
  /** Is given up while it opens. */
  readonly givenUp: readonly Make[]
  /** Opens at a peer that never answers. */
  readonly unanswered: readonly Make[]
}

const host = shortHost()
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Opens and closes in every way many times, then prints what is left, as JSON. */
export async function runRounds(ways: Ways): Promise<void> {
  // Once to load everything that is loaded at first use.
  await everyWay(ways, 0)
  const before = await resources()
  for (let round = 0; round < 200; round += 1) await connectAndClose(ways.connecting[0])
  for (let round = 0; round < 20; round += 1) await everyWay(ways, round)
  await Promise.all(ways.unanswered.map((make) => rejection(make().open(host, within()))))
  const after = await resources()
  console.log(JSON.stringify({ before, after, downs: host.downs.length }))
}

async function everyWay({ connecting, refused, givenUp }: Ways, round: number): Promise<void> {
  for (const make of connecting) await connectAndClose(make)
  await rejection(refused().open(host, within()))
  const giveUps: GiveUp[] = [
    (_transport, control) => control.abort(),
    async (_transport, control) => {
      await pause(round % 5)
      control.abort()
    },
    (transport) => transport.close(within()),
  ]
  for (const giveUp of giveUps) await Promise.all(givenUp.map((make) => isGivenUp(make, giveUp)))
}

async function connectAndClose(make: Make): Promise<void> {
  const transport = make()
  await transport.open(host, within())
  await transport.join(POSITIONS, within())
  transport.send(POSITIONS, 'x')
  await transport.close(within())
}

async function isGivenUp(make: Make, giveUp: GiveUp): Promise<void> {
  const transport = make()
  const control = new AbortController()
  const opening = rejection(transport.open(host, control.signal))
  await giveUp(transport, control)
  await opening
}

/** The handle of a destroyed socket closes in the next turns of the event loop. */
async function resources(): Promise<string[]> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate)
  return process.getActiveResourcesInfo().sort()
}
