import type { Cast } from './cast.ts'
import { openMemoryCast } from './memory-cast.ts'
import { openNetworkCast } from './network-cast.ts'
import type { DemoOptions } from './options.ts'
import type { Quake } from './quake.ts'

const SECOND_MS = 1000
// The slow reader takes twice the time that a quake takes on average.
const SLOWNESS = 2

/** Opens one hub that publishes and three that read; resolves when all of them would hear the first quake. */
export function openCast(
  options: DemoOptions,
  quakes: number,
  onBigQuake: (quake: Quake) => void,
  signal: AbortSignal,
): Promise<Cast> {
  const script = { pauseMs: ((options.seconds * SECOND_MS) / quakes) * SLOWNESS, onBigQuake }
  const isLocal = options.transport === undefined && options.broker === undefined
  return isLocal ? openMemoryCast(options, script) : openNetworkCast(options, script, signal)
}
