import { type FileHandle, open } from 'node:fs/promises'
import { CommandError, EXIT } from '../base/exit-code.ts'

/** The destination of a recording. */
export interface Sink {
  /** Opens it. Rejects when the file exists already, or can't be written. */
  open(): Promise<void>
  /** Appends text. Resolves when it is written. */
  write(text: string): Promise<void>
  close(): Promise<void>
}

/** Makes the sink of a file, or of standard output for `-`. An existing file is replaced only with `isForced`. */
export function sinkOf(file: string, isForced: boolean): Sink {
  return file === '-' ? new StandardOutput() : new RecordingFile(file, isForced)
}

class RecordingFile implements Sink {
  readonly #path: string
  readonly #isForced: boolean
  #handle: FileHandle | undefined
  #bytes = 0

  constructor(path: string, isForced: boolean) {
    this.#path = path
    this.#isForced = isForced
  }

  async open(): Promise<void> {
    try {
      this.#handle = await open(this.#path, this.#isForced ? 'w' : 'wx')
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException
      const reason =
        code === 'EEXIST'
          ? `${this.#path} is there already; give another name, or --force to replace it.`
          : `${this.#path} can't be written: ${message}.`
      throw new CommandError(reason, EXIT.refused, cause)
    }
  }

  /** Appends a text. When the disk fails midway, truncates the written part. */
  async write(text: string): Promise<void> {
    try {
      await this.#handle?.writeFile(text)
      this.#bytes += Buffer.byteLength(text)
    } catch (error) {
      // A pipe can't be truncated.
      await this.#handle?.truncate(this.#bytes).catch(() => {})
      throw error
    }
  }

  async close(): Promise<void> {
    await this.#handle?.close()
  }
}

class StandardOutput implements Sink {
  async open(): Promise<void> {}

  write(text: string): Promise<void> {
    return new Promise((resolve) => {
      // The reader has closed the output, which the command notices itself.
      if (process.stdout.destroyed) resolve()
      else process.stdout.write(text, () => resolve())
    })
  }

  async close(): Promise<void> {}
}
