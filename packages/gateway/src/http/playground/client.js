// Shared cursors over one stream, with nothing but fetch and EventSource.

const STREAMS = new URL('v1/Services/default/Streams', location.href)
const MESSAGES = `${STREAMS}/playground/Messages`
// Several windows share the stream's 30 messages a second.
const SEND_EVERY_MS = 90
const FORGET_AFTER_MS = 10_000
const STEP = 0.02

const byId = (id) => document.getElementById(id)
const board = byId('board')
const me = { id: crypto.randomUUID().slice(0, 8), hue: Math.floor(Math.random() * 360), x: 0.5, y: 0.5 }
const cursors = new Map()
const counts = { published: 0, delivered: 0, refused: 0, lost: 0 }
let token
let isSending = false
let hasMoved = false

show(me, true)
board.addEventListener('pointermove', (event) => {
  const { left, top, width, height } = board.getBoundingClientRect()
  move((event.clientX - left) / width, (event.clientY - top) / height)
})
board.addEventListener('keydown', (event) => {
  const [right, down] =
    { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? []
  if (right === undefined) return
  event.preventDefault()
  move(me.x + right * STEP, me.y + down * STEP)
})
byId('access').addEventListener('submit', (event) => {
  event.preventDefault()
  token = byId('token').value
  start()
})
setInterval(forgetSilent, 1000)
start()

/** Creates the stream unless it is there already, then listens. */
async function start() {
  const response = await request(STREAMS, { UniqueName: 'playground' }).catch(() => undefined)
  byId('access').hidden = response?.status !== 401
  if (response?.status === 401) say('this gateway wants a token')
  else if (response === undefined) retry()
  else listen()
}

function retry() {
  say('the gateway is away')
  setTimeout(start, 2000)
}

function listen() {
  const query = token === undefined ? '' : `?token=${encodeURIComponent(token)}`
  const events = new EventSource(MESSAGES + query)
  events.addEventListener('open', () => {
    say('connected')
    move(me.x, me.y)
  })
  events.addEventListener('error', () => {
    if (events.readyState !== EventSource.CLOSED) return say('connecting…')
    retry()
  })
  events.addEventListener('messagePublished', ({ data }) => {
    count('delivered', 1)
    const cursor = JSON.parse(data)
    if (isCursor(cursor) && cursor.id !== me.id) show(cursor, false)
  })
  events.addEventListener('dropped', ({ data }) => count('lost', JSON.parse(data).count))
  events.addEventListener('removed', () => {
    events.close()
    start()
  })
}

function move(x, y) {
  me.x = Math.min(Math.max(x, 0), 1)
  me.y = Math.min(Math.max(y, 0), 1)
  show(me, true)
  hasMoved = true
  if (!isSending) send()
}

/** Publishes the newest position, one request at a time; what lies between is never sent. */
async function send() {
  isSending = true
  while (hasMoved) {
    hasMoved = false
    const data = { ...me, x: round(me.x), y: round(me.y) }
    const response = await request(MESSAGES, { Data: JSON.stringify(data) }).catch(() => undefined)
    if (response?.ok) count('published', 1)
    else if (response?.status === 429) count('refused', 1)
    else count('lost', 1)
    // Where it ends must be told, also when the last message was refused.
    if (response?.status === 429) hasMoved = true
    const waitMs = Number(response?.headers.get('retry-after') ?? 0) * 1000
    await new Promise((resolve) => setTimeout(resolve, Math.max(SEND_EVERY_MS, waitMs)))
  }
  isSending = false
}

function request(url, fields) {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  return fetch(url, { method: 'POST', headers, body: new URLSearchParams(fields) })
}

function show(cursor, isMine) {
  let element = cursors.get(cursor.id)?.element
  if (element === undefined) {
    element = document.createElement('div')
    element.className = isMine ? 'cursor mine' : 'cursor'
    element.dataset.id = cursor.id
    element.style.setProperty('--hue', cursor.hue)
    element.textContent = isMine ? 'you' : cursor.id
    board.append(element)
  }
  cursors.set(cursor.id, { element, seenMs: performance.now() })
  element.style.left = `${cursor.x * 100}%`
  element.style.top = `${cursor.y * 100}%`
}

function forgetSilent() {
  for (const [id, { element, seenMs }] of cursors) {
    if (id === me.id || performance.now() - seenMs < FORGET_AFTER_MS) continue
    element.remove()
    cursors.delete(id)
  }
}

/** Anybody may publish anything to the stream. */
function isCursor({ id, x, y, hue }) {
  return typeof id === 'string' && id.length === 8 && [x, y, hue].every(Number.isFinite) && cursors.size < 100
}

function count(name, change) {
  counts[name] += change
  byId(name).textContent = counts[name].toLocaleString('en')
}

function say(text) {
  byId('status').textContent = text
}

function round(value) {
  return Math.round(value * 1000) / 1000
}
