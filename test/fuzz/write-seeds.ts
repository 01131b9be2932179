import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeFrame } from '../../packages/twilio/src/twilsock/frame.ts'
import {
  encodeNumbered,
  encodeText,
  encodeTopical,
  KIND,
} from '../../packages/websocket/src/base/protocol.ts'
import { encodeMessage, encodeRemoval, joinMessages } from '../../src/message/frame.ts'
import { Message } from '../../src/message/message.ts'
import { sidOf } from '../../src/message/sid.ts'
import { topicOf } from '../../src/message/topic.ts'
import { CORPUS } from './fuzzing.ts'

type Seed = string | Uint8Array

const ORIGINS = ['0123456789abcdef', 'feedfacecafebeef']
const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const KEY = `SK${'5'.repeat(32)}`
const SECRET = '0123456789abcdef0123456789abcdef'
const URLS = [
  'nats://a:b@host:4222?prefix=x',
  'tls://token@host',
  'mqtt://a:b@host:1883?prefix=a/b&clientId=c&protocol=4',
  'mqtts://host',
  'mqtt+ws://host/path?maxPacketBytes=999',
  'redis://a:b@host:6379/3?sharded=true',
  'rediss://host?db=1',
  'redis://localhost?path=/run/redis.sock',
  'valkey://:b@host',
  'ws://host/path?a=1',
  'wss://host',
  'threads:name',
  'memory:name?seed=7&loss=0.1&delayMs=1,5&echoes=true',
  'nats://h?name=hub',
  'nats://a@h\nnats://b@i',
  '*nats://host:1\nx\ny',
  '*nats://host:1\n?\n',
  '*mqtt://host?prefix=a\n%\n/',
  '*redis://host\n?\n#',
  '*mqtt+ws://host/path\n1/\n',
  '*nats://host:1\n1?name=\n',
]
const frames = [
  message(0, 1, { a: 1 }),
  message(0, 2, { b: [1, { c: 'é😀' }], a: null }),
  message(1, 3, { 'k"': '\ud800' }, TRACE),
  message(1, 2 ** 53 - 1, { n: [0.1, 1e21, -5e-7, true] }),
  encodeRemoval(sidOf(ORIGINS[0] as string, 7), 12),
  joinMessages([message(0, 4, {}), message(0, 5, { a: '}' }, TRACE), message(0, 6, { sid: 'TZ', t: 1 })]),
  '{"data":{"a":1}}',
  '[{"data":{}},7,{"data":[]}]',
  ` {"t":5,"sid":"${sidOf('a'.repeat(16), 9)}","data":{}}`,
  `[{"data":{},"v":1},{"data":{},"v":2,"sid":"${sidOf('a'.repeat(16), 9)}","t":5}]`,
]

/** What each target begins with: written by the code that writes the real thing, where there is such code. */
const SEEDS: Readonly<Record<string, readonly Seed[]>> = {
  frame: frames,
  inbox: [
    ...frames.map((frame, index) => `${String.fromCharCode(index)}\u0001${frame}`),
    `\u0002${frames.map((frame) => `\u0001${frame}`).join('\n')}`,
    `\u0004\u0001${frames[0]}\n\u0001${frames[0]}\n\u0040${frames[1]}`,
  ],
  'page-frame': frames,
  'canonical-json': ['{"b":1,"a":[1,{"z":"x","10":0,"9":-1.5e-9}]}\n{"a":1,"b":2}', ...noises(1, 4)],
  snapshot: noises(2, 8),
  'leaky-bucket': noises(3, 6),
  topic: [
    ` hub\nname\nhub\na/b.*>+#\n${topicOf('hub', 'a/b é😀%')}`,
    ` hub_1\n${'x'.repeat(320)}\nH-2\n..\n${topicOf('h', '..')}\nrivulet/h/%2f`,
    Buffer.from('\u0016', 'latin1'),
    Buffer.concat([Buffer.of(0x16), Buffer.from('a\n\ud83d\na\n\ude00\nrivulet/a/%ED%A0%BD', 'utf16le')]),
  ],
  urls: URLS,
  'open-hub': URLS,
  gateway: [
    'Data=%7B%22a%22%3A1%7D&Ttl=60',
    'UniqueName=a+b%2Fc&a=%C3%A9&a=2',
    'v1/Services/default/Streams/a%2Fb/Messages',
    'streams/v1/Services?PageSize=9#x',
    '{"a":[1e400,1e2,-0.5]}',
    '%F0%9F%98%80',
    '%ED%A0%80',
  ],
  twilsock: [
    writeFrame({ method: 'init', id: 'a', token: 'x.y.z' }),
    writeFrame(requestHeader('POST', '/v3/Streams/a/Messages'), new TextEncoder().encode('{"data":{}}')),
    `${JSON.stringify({ ...requestHeader('GET', '/v3/Streams/a'), payload_size: 0 })}\n`,
    `${JSON.stringify({ ...requestHeader('POST', '/v4/Subscriptions'), payload_size: 2 })}\n{}\r\n`,
  ],
  tokens: [
    `{"alg":"HS256","typ":"JWT","kid":"${KEY}"}\n{"exp":1700000600,"grants":[{"streams":"a/*","allow":["listen"]}],"sub":"u"}\na/*b\na/xb`,
    `{"alg":"HS256","cty":"twilio-fpa;v=1"}\n{"iss":"${KEY}","sub":"AC${'1'.repeat(32)}","exp":1700000600,"grants":{"identity":"i","data_sync":{"service_sid":"default"}}}\n**a\nba`,
    'a.b.c\n\n*\n',
    'eyJhbGciOiJub25lIn0.e30.\n\na\na',
  ],
  'page-message': [
    encodeText(KIND.hello, JSON.stringify({ version: 1, hub: 'h', secret: SECRET, token: 'x' })),
    encodeNumbered(KIND.join, 7, topicOf('h', 'a/b')),
    encodeTopical(KIND.frame, topicOf('h', 'é'), frames[0]),
    encodeNumbered(KIND.barrier, 2 ** 32 - 1),
    encodeText(KIND.ping),
    encodeTopical(KIND.left, topicOf('h', 'b')),
  ],
}

rmSync(CORPUS, { recursive: true, force: true })
for (const [target, seeds] of Object.entries(SEEDS)) {
  mkdirSync(join(CORPUS, target), { recursive: true })
  for (const [index, seed] of seeds.entries()) writeFileSync(join(CORPUS, target, `seed-${index + 1}`), seed)
}

function message(origin: number, sequence: number, data: object, traceparent?: string): string {
  return encodeMessage(
    new Message(data, true, ORIGINS[origin] as string, sequence, traceparent),
    data,
    sequence * 10,
  )
}

function requestHeader(method: string, path: string): object {
  return { method: 'message', id: 'b', http_request: { host: 'cds.us1.twilio.com', method, path } }
}

/** Bytes by chance, always the same: for targets that make values of bytes. */
function noises(seed: number, count: number): Uint8Array[] {
  let state = seed
  const next = () => {
    state = (state * 48_271) % 0x7fffffff
    return state & 0xff
  }
  return Array.from({ length: count }, (_, index) => Uint8Array.from({ length: 60 * (index + 1) }, next))
}
