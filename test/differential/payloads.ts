import { schemaOf } from '../support/schemas.ts'
import type { Flaw } from './plan.ts'

/** What a message holds. */
export type Data = Record<string, unknown>

/** Refuses what is bad, and marks what it checked. */
export const schema = schemaOf<Data>((value) =>
  'bad' in (value as Data)
    ? { issues: [{ message: 'is bad' }] }
    : { value: { ...(value as Data), checked: true } },
)

/** Makes data that is refused here, or in a process with other options, or not. */
export const DATA: Readonly<Record<Flaw, (data: Data) => Data>> = {
  none: (data) => data,
  padded: (data) => ({ ...data, pad: 'x'.repeat([90, 600, 3000][Number(data.n) % 3] as number) }),
  huge: (data) => ({ ...data, pad: 'x'.repeat(5000) }),
  bad: (data) => ({ ...data, bad: true }),
  bigint: (data) => ({ ...data, big: 1n }),
  list: (data) => [data] as never,
  cycle: (data) => Object.assign(data, { data }),
}
