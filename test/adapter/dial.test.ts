import {
  dialInTurn,
  inRandomOrder,
  isCertificateRefusal,
  type RefusalKind,
  refusalOfAll,
} from 'rivulet/adapter'
import { describe, expect, test } from 'vitest'

const NEVER = new AbortController().signal
const KIND: RefusalKind = {
  product: 'Carrier',
  isFinal: (cause) => cause instanceof TypeError,
  reasonOf: (cause) => (cause as Error).message,
  adviceOf: () => 'Check the feathers.',
}
const refusalOf = (failures: Parameters<typeof refusalOfAll>[0]) => refusalOfAll(failures, KIND)

describe('a dial in turn', () => {
  test('ends at the first server that answers', async () => {
    const tried: string[] = []
    const attempt = async (server: string) => {
      tried.push(server)
      if (server === 'a') throw new Error('away')
      return `connection to ${server}`
    }
    const dialled = dialInTurn(['a', 'b', 'c'], String, attempt, refusalOf, NEVER)
    expect([await dialled, tried]).toEqual(['connection to b', ['a', 'b']])
  })

  test('rejects with the reasons of all servers, sorted, each by its last name', async () => {
    const attempt = async (server: string, rename: (name: string) => void) => {
      if (server === 'c') rename('a, named by c')
      throw new Error(`${server} is away`)
    }
    await expect(dialInTurn(['c', 'b'], String, attempt, refusalOf, NEVER)).rejects.toMatchObject({
      code: 'TRANSPORT_UNAVAILABLE',
      message: 'No Carrier server took the connection (a, named by c: c is away; b: b is away).',
      cause: { errors: [new Error('c is away'), new Error('b is away')] },
    })
  })

  test('rejects with the reason of the signal, before and between attempts', async () => {
    const control = new AbortController()
    let attempts = 0
    const attempt = async () => {
      attempts++
      control.abort('closed')
      throw new Error('away')
    }
    const dial = () => dialInTurn(['a', 'b'], String, attempt, refusalOf, control.signal)
    await expect(dial()).rejects.toBe('closed')
    await expect(dial()).rejects.toBe('closed')
    expect(attempts).toBe(1)
  })
})

describe('the refusal of all servers', () => {
  test('is for good only when every server refused for good, and says then what to check', () => {
    const wrong = { server: 'a', cause: new TypeError('wrong password') }
    const away = { server: 'b', cause: new Error('away') }
    expect(refusalOf([wrong])).toMatchObject({
      code: 'TRANSPORT_FAILED',
      message: 'No Carrier server took the connection (a: wrong password). Check the feathers.',
      cause: wrong.cause,
    })
    expect(refusalOf([wrong, away])).toMatchObject({
      code: 'TRANSPORT_UNAVAILABLE',
      message: 'No Carrier server took the connection (a: wrong password; b: away).',
    })
    expect(refusalOfAll([wrong], { ...KIND, adviceOf: () => '' }).message).toMatch(/password\)\.$/)
  })
})

test('a random order has every server, and that of the last connection at its end', () => {
  const servers = ['a', 'b', 'c', 'd']
  const firsts = new Set<string>()
  for (let run = 0; run < 200; run++) {
    const order = inRandomOrder(servers, (server) => server === 'b')
    expect([...order].sort()).toEqual(servers)
    expect(order[3]).toBe('b')
    firsts.add(order[0] as string)
  }
  expect([...firsts].sort()).toEqual(['a', 'c', 'd'])
})

test.each([
  ['CERT_HAS_EXPIRED', true],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', true],
  ['ERR_TLS_CERT_ALTNAME_INVALID', true],
  ['ERR_SSL_WRONG_VERSION_NUMBER', true],
  ['ECONNREFUSED', false],
  [undefined, false],
  [5, false],
])('an error with the code %s is a refused certificate: %s', (code, isRefused) => {
  expect(isCertificateRefusal(Object.assign(new Error('no'), { code }))).toBe(isRefused)
  expect(isCertificateRefusal({ code })).toBe(false)
})
