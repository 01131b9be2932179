import type { TwilsockHandler, TwilsockSocket } from '@rivulet/twilio'
import { parseFrame, type RawFrame, rawFrame } from './raw-sdk.ts'

/** A socket without a network. */
export class FakeSocket implements TwilsockSocket {
  readonly frames: RawFrame[] = []
  bufferedBytes = 0
  pings = 0
  closeCode: number | undefined
  isTerminated = false
  handler: TwilsockHandler | undefined
  readonly #changed = new Set<() => void>()
  #lastId = 0

  send(bytes: Uint8Array): void {
    this.frames.push(parseFrame(bytes))
    this.#tell()
  }

  close(code: number): void {
    this.closeCode = code
    this.#tell()
  }

  terminate(): void {
    this.isTerminated = true
    this.#tell()
  }

  ping(): void {
    this.pings += 1
  }

  /** Sends a frame to the gateway, and resolves to its reply. */
  async ask(header: object, payload = ''): Promise<RawFrame> {
    this.#lastId += 1
    const id = `TM-${this.#lastId}`
    this.handler?.receive(rawFrame({ id, ...header }, payload))
    const find = () => this.frames.find((frame) => frame.header.id === id)
    while (find() === undefined) await new Promise<void>((resolve) => this.#changed.add(resolve))
    return find() as RawFrame
  }

  /** The frames of that method. */
  of(method: string): RawFrame[] {
    return this.frames.filter(({ header }) => header.method === method)
  }

  #tell(): void {
    for (const tell of this.#changed) tell()
    this.#changed.clear()
  }
}
