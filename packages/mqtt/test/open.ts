import type { Topic, Transport } from 'rivulet'
import { type RecordedFrame, RecordingHost } from 'rivulet/testing'
import { endless } from '../../../test/support/adapters/waits.ts'
import { mqtt } from '../src/index.ts'
import type { MqttOptions } from '../src/options.ts'

/** A host whose pings are due late enough for a broker that a test slows down. */
export function patientHost(): RecordingHost {
  return new RecordingHost({ timeouts: { dialMs: 2_000, idleMs: 3_000 } })
}

/** The frames of joined topics, each as `stream:text`. */
export function framesOf({ frames }: RecordingHost): string[] {
  return frames.map(describe)
}

/** The frames of the watched hub, each as `stream:text`. */
export function watchedFramesOf({ watchedFrames }: RecordingHost): string[] {
  return watchedFrames.map(describe)
}

function describe({ topic, text }: RecordedFrame): string {
  return `${topic.slice(topic.lastIndexOf('/') + 1)}:${text}`
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
  const host = patientHost()
  await transport.open(host, endless)
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
