import type { Message } from 'rivulet'
import type { Data } from './payloads.ts'

/** `by` is the publisher's place. */
type Heard = { readonly by: number; readonly text: string }

/** Which of a receiver's options drops the first message is chance where several hubs publish. */
const BY_OPTION: readonly string[] = ['RATE_LIMITED', 'PAYLOAD_TOO_LARGE', 'SCHEMA_MISMATCH']

/** What a hub showed since it was last looked at. All of it is the same on every transport. */
export class Sight {
  /** By the number of the message. */
  outcomes: Record<number, string> = {}
  #heard: Record<string, Heard[]> = {}
  /** How often, by what: refusals, losses, removals, errors. Not drops: a stream may end before it tells of them. */
  #told: Record<string, number> = {}

  hear(subscriber: string, { data, sid, isLocal }: Message<Data>): void {
    this.#heard[subscriber] ??= []
    const sequence = Number.parseInt(sid.slice(18), 16)
    const text = `${isLocal ? 'own ' : ''}${sequence} ${JSON.stringify(Object.entries(data).sort())}`
    this.#heard[subscriber].push({ by: Number(data.by), text })
  }

  tell(what: string, count = 1): void {
    this.#told[what] = (this.#told[what] ?? 0) + count
  }

  tellError(code: string): void {
    this.tell(BY_OPTION.includes(code) ? 'a message is kept out by an option' : code)
  }

  /** Gives everything, and begins anew. Between publishers no order is promised. */
  take(): object {
    const taken = { outcomes: this.outcomes, heard: this.#heard, told: this.#told }
    for (const messages of Object.values(taken.heard)) messages.sort((one, other) => one.by - other.by)
    this.outcomes = {}
    this.#heard = {}
    this.#told = {}
    return taken
  }
}
