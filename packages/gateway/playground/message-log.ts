import type { Message } from 'rivulet'
import { byId, element } from './elements.ts'
import { isOfPlayground } from './playground-message.ts'

const MAX_LINES = 60
const NOBODY = { name: '?', hue: 0, text: undefined }
// The form of a sid: two letters, 16 digits of its publisher, 16 of its number there.
const NUMBER_AT = 18

/** Lists the last messages, the newest first. */
export class MessageLog {
  readonly #list = byId('log')
  readonly #pause = byId<HTMLInputElement>('pause')

  add({ sid, data, isLocal }: Message<object>): void {
    if (this.#pause.checked) return
    const line = element('li', isLocal ? 'local' : 'remote')
    const { name, hue, text, ...others } = isOfPlayground(data) ? data : { ...NOBODY, others: data }
    line.style.setProperty('--hue', String(hue))
    const number = Number.parseInt(sid.slice(NUMBER_AT), 16).toLocaleString('en')
    line.append(
      element('b', 'who', name),
      element('span', 'number', `#${number}`),
      element('span', 'what', text ?? JSON.stringify(others)),
    )
    this.#list.prepend(line)
    while (this.#list.childElementCount > MAX_LINES) this.#list.lastElementChild?.remove()
  }
}
