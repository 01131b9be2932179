import type { Bug } from '../simulation/bugs.ts'

/** Mistakes in the library that a short soak has to find, each with the law that it breaks. */
export const BUGS: readonly (Bug & { readonly law: string })[] = [
  {
    name: 'every join that is left is kept, and a list of its own with it',
    file: 'src/connection/joins.ts',
    right: '      this.#byTopic.delete(topic)\n      answer(join)',
    wrong:
      '      this.#byTopic.delete(topic)\n      ;((globalThis as any).kept ??= []).push(join, new Array(500).fill(join))\n      answer(join)',
    law: 'what is held stays flat',
  },
  {
    name: 'one message in 500 is delivered twice',
    file: 'src/receive/inbox.ts',
    right: '        deliver(state, outcome, undefined, nowMs)',
    wrong:
      '        for (const _ of Math.random() < 1 / 500 ? [1, 2] : [1]) deliver(state, outcome, undefined, nowMs)',
    law: 'nothing comes twice',
  },
  {
    name: 'one frame in 20 is lost without being counted',
    file: 'src/receive/inbox.ts',
    right: '    const { state, publishers } = this\n    const bytes',
    wrong: '    if (Math.random() < 1 / 20) return\n    const { state, publishers } = this\n    const bytes',
    law: 'what is published arrives everywhere',
  },
]
