import { ENTRY_LENGTH, HEARD, PUBLISHED } from './crowd.ts'

const FIRST_SIZE = 1 << 16

/** What was published and heard in the whole run, message by message. Kept away from the process that is measured. */
export class Books {
  readonly #broken: (law: string, text: string) => void
  /** Who published a message on which stream, by its number: hub + 1, stream. */
  #published = new Int32Array(2 * FIRST_SIZE)
  /** A bit for each message that a hub has heard, by hub. */
  readonly #heard: Uint8Array[]

  constructor(hubs: number, broken: (law: string, text: string) => void) {
    this.#broken = broken
    this.#heard = Array.from({ length: hubs }, () => new Uint8Array(FIRST_SIZE / 8))
  }

  /** Takes what the hubs' process noted, in the order in which it happened. */
  readonly take = (entries: Int32Array): void => {
    for (let at = 0; at < entries.length; at += ENTRY_LENGTH) {
      const [kind, site, stream, id] = [0, 1, 2, 3].map((nth) => entries[at + nth]) as Entry
      if (kind === PUBLISHED) this.#publish(site, stream, id)
      else this.#hear(kind === HEARD, site, stream, id)
    }
  }

  #publish(site: number, stream: number, id: number): void {
    while (2 * id + 1 >= this.#published.length) this.#published = grown(this.#published)
    this.#published.set([site + 1, stream], 2 * id)
  }

  #hear(isRemote: boolean, site: number, stream: number, id: number): void {
    const publisher = (this.#published[2 * id] ?? 0) - 1
    const what = `message ${id} of hub ${publisher} at hub ${site} on stream ${stream}`
    if (publisher < 0 || this.#published[2 * id + 1] !== stream)
      this.#broken('nothing comes that nobody published', what)
    if (isRemote === (publisher === site)) this.#broken('nothing of its own comes back to a hub', what)
    let heard = this.#heard[site] as Uint8Array
    while (id >> 3 >= heard.length) heard = grown(heard)
    this.#heard[site] = heard
    const bit = 1 << (id & 7)
    if (((heard[id >> 3] as number) & bit) !== 0) this.#broken('nothing comes twice', what)
    heard[id >> 3] = (heard[id >> 3] as number) | bit
  }
}

type Entry = [kind: number, site: number, stream: number, id: number]

function grown<Numbers extends Int32Array | Uint8Array>(numbers: Numbers): Numbers {
  const larger = new (numbers.constructor as new (length: number) => Numbers)(2 * numbers.length)
  larger.set(numbers)
  return larger
}
