import type { Hub } from 'rivulet'
import { count, groupBy, lastValueFrom, map, mergeMap, scan, share, tap, toArray } from 'rxjs'
import type { Quake } from './quake.ts'
import { joined, openQuakes, type Reader } from './reader.ts'

const STRONGEST = 5

/** An RxJS pipeline: ranks the quakes as they come and counts them by the network that reported them. */
export async function openPipelineReader(hub: Hub): Promise<Reader> {
  const stream = openQuakes(hub)
  let seen = 0
  let ranking: readonly Quake[] = []
  let networks: readonly Network[] = []

  const quakes$ = stream.messages$.pipe(
    tap(() => {
      seen += 1
    }),
    map(({ data }): Quake => data),
    share(),
  )
  quakes$.pipe(scan(rank, [])).subscribe((strongest) => {
    ranking = strongest
  })
  const networks$ = quakes$.pipe(
    groupBy(({ properties }) => properties.net),
    mergeMap((group) =>
      group.pipe(
        count(),
        map((quakes): Network => ({ name: group.key, quakes })),
      ),
    ),
    toArray(),
  )
  const finished = lastValueFrom(networks$).then((counted) => {
    networks = counted.sort((a, b) => b.quakes - a.quakes)
  })
  await joined(stream)
  return {
    label: 'pipeline',
    hub,
    seen: () => seen,
    finished,
    strongest: () => ranking,
    story: () => `RxJS: ${networks.length} networks reported, ${busiestOf(networks)}`,
  }
}

interface Network {
  readonly name: string
  readonly quakes: number
}

function rank(strongest: readonly Quake[], quake: Quake): readonly Quake[] {
  return [...strongest, quake].sort((a, b) => b.properties.mag - a.properties.mag).slice(0, STRONGEST)
}

function busiestOf(networks: readonly Network[]): string {
  const named = networks.slice(0, 3).map(({ name, quakes }) => `${name} ${quakes}`)
  return `the busiest are ${named.join(', ')}`
}
