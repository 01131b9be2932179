import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ReaderAccount, Script } from './cast.ts'
import type { Quake } from './quake.ts'

const PROGRAM = join(import.meta.dirname, 'reader-program.ts')
// Closing a hub takes five seconds at the most.
const END_TIMEOUT_MS = 7000

/** What a reader's process tells. */
export type Told =
  | { readonly joined: true }
  | { readonly bigQuake: Quake }
  | { readonly account: ReaderAccount }

/** A reader in a process of its own. */
export class ReaderProcess {
  /** Resolves when it would hear the first quake. */
  readonly joined: Promise<void>
  readonly #child: ChildProcess
  readonly #account: Promise<ReaderAccount>

  constructor(kind: string, script: Script & { readonly url: string; readonly name: string }) {
    const { url, name, pauseMs, onBigQuake } = script
    // The URL may hold a password, which a command line would show to everybody on this machine.
    const env = { ...process.env, RIVULET_URL: url }
    this.#child = fork(PROGRAM, [kind, name, String(pauseMs)], { env })
    this.#child.on('message', (told: Told) => {
      if ('bigQuake' in told) onBigQuake(told.bigQuake)
    })
    const exit = once(this.#child, 'exit').then(([code, signal]) => {
      throw new Error(`The process of the ${kind} reader ended early, with ${code ?? signal}.`)
    })
    this.joined = Promise.race([exit, this.#told('joined').then(() => {})])
    this.#account = Promise.race([exit, this.#told('account')])
    for (const promise of [exit, this.joined, this.#account]) promise.catch(() => {})
  }

  /** Resolves to what it has to say once the stream has ended for it. */
  finish(): Promise<ReaderAccount> {
    if (this.#child.connected) this.#child.send('finish')
    return this.#account
  }

  /** Has it close its hub and end; it is killed when that takes too long. */
  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exit = once(this.#child, 'exit')
    if (this.#child.connected) this.#child.disconnect()
    const giveUp = new AbortController()
    const late = sleep(END_TIMEOUT_MS, undefined, giveUp).then(() => this.#child.kill('SIGKILL'))
    late.catch(() => {})
    await exit
    giveUp.abort()
  }

  #told<Key extends 'joined' | 'account'>(key: Key): Promise<Extract<Told, Record<Key, unknown>>[Key]> {
    return new Promise((resolve) => {
      this.#child.on('message', (told: Told) => {
        if (key in told) resolve((told as Extract<Told, Record<Key, unknown>>)[key])
      })
    })
  }
}
