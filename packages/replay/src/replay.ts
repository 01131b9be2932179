import { RivuletError, type Transport } from 'rivulet'
import { invalidOptions, makeTransport } from 'rivulet/adapter'
import { Connection } from './connection.ts'
import { checkReplay, type ReplayOptions } from './options.ts'
import { Recording } from './recording.ts'

/**
 * Makes a transport that plays a recording: its messages arrive as if they were published now. Each `open` plays it from
 * its beginning, starting at the first join or watch. Messages that the hub publishes are not sent, and count as
 * `lost.offline`. Throws `INVALID_OPTIONS`; opening rejects `TRANSPORT_FAILED` when the file can't be read.
 */
export function replay(options: ReplayOptions): Transport {
  const checked = checkReplay(options)
  return makeTransport<Connection>({
    name: 'replay',
    capabilities: () => ({
      scope: 'process',
      echoes: false,
      ordered: true,
      watch: true,
      maxFrameBytes: () => Infinity,
    }),
    async connect(host, signal) {
      await readable(checked.file)
      signal.throwIfAborted()
      return new Connection(host, checked)
    },
  })
}

async function readable(file: string): Promise<void> {
  try {
    const size = await new Recording(file).size()
    if (size !== undefined) return
    throw invalidOptions(
      `The recording ${file} can't be read: it is no regular file, and can't be begun anew.`,
    )
  } catch (cause) {
    throw new RivuletError('TRANSPORT_FAILED', (cause as Error).message, { cause })
  }
}
