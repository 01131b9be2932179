import type { Ledger } from 'rivulet'
import { byId, element } from './elements.ts'

type Bucket = number | Readonly<Record<string, number>>

/** Shows where every message of the hub is counted, and that the sums come out. */
export class LedgerView {
  readonly #cells = new Map<string, { readonly count: HTMLElement; readonly reasons: HTMLElement }>()

  show(ledger: Ledger): void {
    const { attempts, accepted, refused, conflated, waiting } = ledger
    const { local, confirmed, inFlight, unconfirmed, lost } = ledger
    const { received, delivered, dropped, missed, reordered } = ledger
    const isNew = this.#cells.size === 0
    this.#rows('published', { attempts, accepted, refused, conflated, waiting }, isNew)
    this.#rows('sent', { local, confirmed, inFlight, unconfirmed, lost }, isNew)
    this.#rows('heard', { received, delivered, dropped, missed, reordered }, isNew)
    showLaw('published-law', 'attempts', attempts, [accepted, sumOf(refused), conflated, waiting])
    showLaw('sent-law', 'accepted', accepted, [local, confirmed, inFlight, unconfirmed, sumOf(lost)])
    showLaw('heard-law', 'received', received, [delivered, sumOf(dropped)])
  }

  #rows(group: string, buckets: Readonly<Record<string, Bucket>>, isNew: boolean): void {
    for (const [name, bucket] of Object.entries(buckets)) {
      if (isNew) this.#add(group, name)
      const cell = this.#cells.get(name)
      if (cell === undefined) continue
      cell.count.textContent = sumOf(bucket).toLocaleString('en')
      cell.reasons.textContent = typeof bucket === 'number' ? '' : reasonsOf(bucket)
    }
  }

  #add(group: string, name: string): void {
    const row = element('div', 'row')
    const count = element('dd', 'count')
    count.id = name
    const reasons = element('small', 'reasons')
    const label = element(
      'dt',
      '',
      name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`),
    )
    label.append(reasons)
    row.append(label, count)
    byId(group).append(row)
    this.#cells.set(name, { count, reasons })
  }
}

function showLaw(id: string, name: string, total: number, parts: readonly number[]): void {
  const isKept = parts.reduce((sum, part) => sum + part, 0) === total
  const law = byId(id)
  law.textContent = `${isKept ? '✓' : '✗'} ${name} ${total} = ${parts.join(' + ')}`
  law.classList.toggle('broken', !isKept)
}

function reasonsOf(bucket: Readonly<Record<string, number>>): string {
  const some = Object.entries(bucket).filter(([, count]) => count > 0)
  return some.map(([reason, count]) => `${reason} ${count}`).join(', ')
}

function sumOf(bucket: Bucket): number {
  return typeof bucket === 'number' ? bucket : Object.values(bucket).reduce((sum, count) => sum + count, 0)
}
