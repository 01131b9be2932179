import { fileURLToPath } from 'node:url'
import { execa } from 'execa'

/** Has a program publish one frame in a process of its own: it reads JSON of the channel and the frame from stdin. */
export async function publishElsewhere(
  program: URL,
  server: string,
  channel: string,
  frame: string,
): Promise<void> {
  await execa('node', [fileURLToPath(program), server], { input: `${JSON.stringify([channel, frame])}\n` })
}
