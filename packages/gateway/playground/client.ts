import { websocket } from '@rivulet/websocket'
import { createHub, type Hub, type Message, RivuletError, type Stream } from 'rivulet'
import { Board } from './board.ts'
import { byId } from './elements.ts'
import { LedgerView } from './ledger-view.ts'
import { lossy } from './lossy-transport.ts'
import { MessageLog } from './message-log.ts'
import { isOfPlayground, type Place, type PlaygroundMessage, placeOf } from './playground-message.ts'
import { followPointer, wander } from './pointer.ts'

const STREAM = 'playground'
const HUB = document.documentElement.dataset.hub as string
const LEDGER_MS = 200
// A cursor that is silent is forgotten by others after ten seconds.
const SIGN_OF_LIFE_MS = 4000
// The form of a sid: two letters, 12 digits of the hub, 4 that count its streams, 16 of its number there.
const HUB_DIGITS = [2, 14] as const
const WORDS = ['Amber', 'Brook', 'Cedar', 'Delta', 'Ember', 'Fjord', 'Grove', 'Heron', 'Iris', 'Juniper']
const STATUSES: Readonly<Record<Hub['status'], string>> = {
  local: 'connected',
  opening: 'connecting…',
  up: 'connected',
  closed: 'closed',
  down: 'the gateway is away; trying again',
}

const nameField = byId<HTMLInputElement>('name')
const textField = byId<HTMLInputElement>('text')
const rateField = byId<HTMLInputElement>('rate')
const lossField = byId<HTMLInputElement>('loss')
const wanderField = byId<HTMLInputElement>('wander')
const board = new Board()
const log = new MessageLog()
const ledgerView = new LedgerView()
const hue = Math.floor(Math.random() * 360)
const phase = Math.random() * 60
let place: Place = { x: 0.5, y: 0.5 }
let publishedPlace: Place | undefined
let publishedMs = 0
let hub: Hub | undefined
let stream: Stream<PlaygroundMessage> | undefined

nameField.value = WORDS[Math.floor(Math.random() * WORDS.length)] as string
followPointer(
  () => place,
  (moved) => {
    wanderField.checked = false
    place = moved
  },
)
for (const field of [rateField, lossField]) field.addEventListener('input', showSettings)
onSubmit('say', say)
onSubmit('access', () => void start(byId<HTMLInputElement>('token').value))
setInterval(() => hub !== undefined && ledgerView.show(hub.ledger()), LEDGER_MS)
showSettings()
beat()
void start(undefined)

/** Opens a hub over the gateway, in place of the last one. */
async function start(token: string | undefined): Promise<void> {
  byId('access').hidden = true
  await hub?.close()
  board.clear()
  const url = new URL('rivulet', location.href)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  const transport = websocket({ url: url.href, ...(token !== undefined && { token: () => token }) })
  const opened = createHub({ name: HUB, transport: lossy(transport, () => Number(lossField.value) / 100) })
  hub = opened
  opened.on('status', () => showStatus(opened))
  opened.on('error', (error) => isFinal(error) && askForToken(opened))
  showStatus(opened)
  listen(opened)
}

function listen(opened: Hub): void {
  const positions = opened.stream<PlaygroundMessage>(STREAM)
  positions.subscribe(take)
  // Whoever removes the stream ends it for all; a new one of its name goes on.
  positions.on('removed', () => queueMicrotask(() => hub === opened && listen(opened)))
  // What is published before would be counted as lost.
  opened.ready().then(
    () => {
      stream = positions
      publishedPlace = undefined
    },
    () => {},
  )
}

function take(message: Message<object>): void {
  log.add(message)
  const { data, isLocal, sid } = message
  if (!isOfPlayground(data)) return
  const { name, text } = data
  board.show(sid.slice(...HUB_DIGITS), { name, hue: data.hue, isMine: isLocal, place: placeOf(data), text })
}

/** Publishes the newest place, so many times a second; what lies between is never sent. */
function beat(): void {
  const nowMs = performance.now()
  if (wanderField.checked) place = wander(nowMs, phase)
  const isDue = place !== publishedPlace || nowMs - publishedMs > SIGN_OF_LIFE_MS
  const result = isDue ? stream?.tryPublish({ name: nameField.value, hue, ...place }) : undefined
  if (result?.ok) {
    publishedPlace = place
    publishedMs = nowMs
  }
  setTimeout(beat, 1000 / Number(rateField.value))
}

function say(): void {
  const text = textField.value.trim()
  if (text === '') return
  textField.value = ''
  stream?.publishWhenReady({ name: nameField.value, hue, text }).catch(() => {})
}

function showSettings(): void {
  byId('rate-value').textContent = `${rateField.value} a second`
  byId('loss-value').textContent = `${lossField.value} %`
}

function showStatus({ status }: Hub): void {
  const isTokenWanted = !byId('access').hidden
  byId('status').textContent = isTokenWanted ? 'this gateway wants a token' : STATUSES[status]
  byId('status').dataset.status = status
}

function askForToken(refused: Hub): void {
  byId('access').hidden = false
  showStatus(refused)
}

function isFinal(error: unknown): boolean {
  return RivuletError.is(error) && error.code === 'TRANSPORT_FAILED'
}

function onSubmit(form: string, submitted: () => void): void {
  byId(form).addEventListener('submit', (event) => {
    event.preventDefault()
    submitted()
  })
}
