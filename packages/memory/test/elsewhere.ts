import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Topic } from 'rivulet'

const SCRIPT = fileURLToPath(new URL('./elsewhere-child.ts', import.meta.url))

/** Sends one frame on `memory:contract` of another process; rejects unless it arrived there. */
export async function elsewhere(topic: Topic, frame: string): Promise<void> {
  const loader = ['--import', 'tsx', '--conditions=@rivulet/source']
  await promisify(execFile)(process.execPath, [...loader, SCRIPT, topic, frame])
}
