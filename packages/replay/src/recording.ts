import { constants, createReadStream, openSync } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { Socket } from 'node:net'
import { pipeline, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { RivuletError } from 'rivulet'
import { invalidOptions } from 'rivulet/adapter'

/** Far longer than a record can be, yet short enough to detect a stream without line ends early. */
const MAX_LINE_LENGTH = 1024 * 1024

/** A line of a recording, with its number from 1. */
export interface RecordingLine {
  readonly text: string
  readonly number: number
}

/** Reads a recording on demand. A file can be read any number of times, a stream once. */
export class Recording {
  /** Its name in messages. */
  readonly name: string
  readonly #source: string | Readable
  #input: (Readable & { readonly bytesRead?: number }) | undefined

  constructor(source: string | Readable) {
    this.#source = source
    this.name = typeof source === 'string' ? source : 'standard input'
  }

  /** Whether it can be read again. */
  get isFile(): boolean {
    return typeof this.#source === 'string'
  }

  /** The bytes of the file read in this pass. */
  get bytesRead(): number {
    return this.#input?.bytesRead ?? 0
  }

  /**
   * Resolves to the size in bytes; `undefined` unless it is a regular file. Rejects `INVALID_OPTIONS` when it can't be
   * read. Opens nothing: a FIFO without a writer would block a thread, and one with a writer would lose it.
   */
  async size(): Promise<number | undefined> {
    if (typeof this.#source !== 'string') return undefined
    try {
      const stats = await stat(this.#source)
      if (stats.isDirectory()) throw new Error('it is a folder')
      await access(this.#source, constants.R_OK)
      return stats.isFile() ? stats.size : undefined
    } catch (cause) {
      throw this.#unreadable(cause)
    }
  }

  /**
   * Iterates over the non-empty lines; ends early or rejects when `signal` aborts. Rejects `INVALID_DATA` when a line is
   * longer than 1 MiB or a compressed file is damaged.
   */
  async *lines(signal: AbortSignal): AsyncGenerator<RecordingLine, void> {
    const leave = () => void this.#input?.destroy()
    signal.addEventListener('abort', leave)
    let rest = ''
    let number = 0
    try {
      const input = await this.#open(signal)
      for await (const chunk of input) {
        const texts = `${rest}${chunk}`.split('\n')
        rest = texts.pop() as string
        for (const text of texts) {
          number += 1
          if (signal.aborted) return
          if (text.trim() !== '') yield { text: number === 1 ? withoutMark(text) : text, number }
        }
        if (rest.length > MAX_LINE_LENGTH) throw tooLong(this.name, number + 1)
      }
      if (rest.trim() !== '') yield { text: number === 0 ? withoutMark(rest) : rest, number: number + 1 }
    } catch (error) {
      throw RivuletError.is(error) ? error : this.#unreadable(error)
    } finally {
      signal.removeEventListener('abort', leave)
      this.#input?.destroy()
    }
  }

  async #open(signal: AbortSignal): Promise<Readable> {
    const source = this.#source
    const isFifo = typeof source === 'string' && (await stat(source)).isFIFO()
    signal.throwIfAborted()
    const open = isFifo ? openFifo : createReadStream
    const input = typeof source === 'string' ? open(source) : source
    this.#input = input
    if (!this.name.endsWith('.gz')) return input.setEncoding('utf8')
    return pipeline(input, createGunzip(), () => {}).setEncoding('utf8')
  }

  #unreadable(cause: unknown): RivuletError {
    const reason = cause instanceof Error ? cause.message : String(cause)
    return invalidOptions(`The recording ${this.name} can't be read: ${reason}.`)
  }
}

/** Waits for a writer in the event loop: opening a FIFO as a file would block a thread until then, uncancellably. */
function openFifo(path: string): Readable {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  return new Socket({ fd, readable: true, writable: false })
}

/** Removes the byte order mark that some editors put before a text. */
function withoutMark(text: string): string {
  return text.replace(/^\uFEFF/, '')
}

function tooLong(name: string, number: number): RivuletError {
  return new RivuletError('INVALID_DATA', `${name}, line ${number}: It is longer than 1 MiB; is it NDJSON?`)
}
