import type { Topic, Transport, TransportHost } from 'rivulet'
import { DEFAULT_TIMEOUTS } from 'rivulet/adapter'
import { mqtt } from '../src/index.ts'
import type { MqttOptions } from '../src/options.ts'

/** A signal that never aborts: the runner's own deadline bounds the wait. */
export const NEVER = new AbortController().signal

/** A host that records the calls of a transport. */
export class RecordingHost implements TransportHost {
  readonly hub = 'default'
  /** Short, so that a test of the client's own pings ends soon. */
  readonly timeouts = { ...DEFAULT_TIMEOUTS, dialMs: 2_000, idleMs: 3_000 }
  readonly frames: string[] = []
  readonly watchedFrames: string[] = []
  readonly downs: (Error | undefined)[] = []
  readonly errors: Error[] = []

  receive(topic: Topic, frame: Uint8Array | string): void {
    const text = typeof frame === 'string' ? frame : new TextDecoder().decode(frame)
    this.frames.push(`${topic.slice(topic.lastIndexOf('/') + 1)}:${text}`)
  }

  watched(topic: string, frame: Uint8Array | string): void {
    const text = typeof frame === 'string' ? frame : new TextDecoder().decode(frame)
    this.watchedFrames.push(`${topic.slice(topic.lastIndexOf('/') + 1)}:${text}`)
  }

  down(cause?: Error): void {
    this.downs.push(cause)
  }

  error(_topic: Topic | undefined, cause: Error): void {
    this.errors.push(cause)
  }

  left(_topic: Topic | undefined, cause: Error): void {
    this.errors.push(cause)
  }
}

const opened = new Set<Transport>()

/** A transport that {@link closeAll} closes. */
export function make(options: MqttOptions): Transport {
  const transport = mqtt(options)
  opened.add(transport)
  return transport
}

/** Opens a transport on a host of its own. */
export async function open(options: MqttOptions): Promise<{ transport: Transport; host: RecordingHost }> {
  const transport = make(options)
  const host = new RecordingHost()
  await transport.open(host, NEVER)
  return { transport, host }
}

export async function closeAll(): Promise<void> {
  await Promise.all([...opened].map((transport) => transport.close(AbortSignal.timeout(1000))))
  opened.clear()
}

export function topicOf(stream: string): Topic {
  return `rivulet/test/${stream}` as Topic
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}
