import {
  checkOptions,
  choiceForm,
  type FormOf,
  filledForm,
  flagForm,
  functionForm,
  given,
  numberForm,
  objectForm,
  orFunction,
  patternForm,
  pemForm,
  type Rules,
  textForm,
  textsForm,
  tlsForm,
  visible,
  wholeNumberForm,
} from 'rivulet/adapter'
import { describe, expect, test } from 'vitest'
import { invalidOptionsOf, SECRET } from '../support/adapters/invalid-options.ts'

interface Options {
  readonly token?: unknown
  readonly waitMs?: unknown
  readonly servers?: unknown
}
const RULES: Rules<Options> = {
  token: orFunction(textForm),
  waitMs: visible(wholeNumberForm(1, 60)),
  servers: textsForm,
}
const check = (options: unknown) => checkOptions<Options>('Carrier', options, RULES)

describe('checkOptions', () => {
  test.each<[unknown, string]>([
    [undefined, 'The Carrier options are an object { token, waitMs, servers }, not undefined.'],
    [null, 'servers }, not null.'],
    [[], 'servers }, not an array.'],
    [new Map(), 'servers }, not an object.'],
    [() => {}, 'servers }, not a function.'],
    [SECRET, 'servers }, not a string.'],
    [`carrier://${SECRET}@h`, 'servers }, not a URL; for a URL use openHub.'],
    [{ tokn: SECRET }, 'There is no Carrier option "tokn"; there are token, waitMs, servers.'],
    [{ toString: 1 }, 'There is no Carrier option "toString"'],
    [JSON.parse('{"__proto__":{}}'), 'There is no Carrier option "__proto__"'],
    [{ waitMs: 0 }, 'The Carrier option "waitMs" is a whole number from 1 to 60, not 0.'],
    [{ waitMs: [1, 'a'] }, 'not [1, "a"].'],
    [{ token: 4711 }, 'The Carrier option "token" is a string, or a function that gives it, not a number.'],
    [{ token: [SECRET] }, 'that gives it, not an array.'],
    [{ token: { text: SECRET } }, 'that gives it, not an object.'],
    [{ token: null }, 'that gives it, not null.'],
    [{ token: true }, 'that gives it, not true.'],
    [{ waitMs: () => 5 }, 'from 1 to 60, not a function.'],
    [{ servers: { [SECRET]: 1 } }, 'The Carrier option "servers" is a string or an array of strings'],
  ])('refuses %j', (options, said) => {
    expect(invalidOptionsOf(() => check(options), /hunter2|4711/).message).toContain(said)
  })

  test('returns a frozen copy without the options that are undefined', () => {
    const options = { token: undefined, waitMs: 60 }
    const checked = check(options)
    expect(checked).toEqual({ waitMs: 60 })
    expect(checked).not.toBe(options)
    expect(Object.keys(checked)).toEqual(['waitMs'])
    expect(Object.isFrozen(checked)).toBe(true)
  })

  test('reads each option once', () => {
    let reads = 0
    const options = {
      get waitMs() {
        return reads++ === 0 ? 1 : 'later'
      },
    }
    expect([check(options), reads]).toEqual([{ waitMs: 1 }, 1])
  })

  test('takes a function in the place of a value, which given checks by the same rule', async () => {
    const time = { dialMs: 1_000, signal: new AbortController().signal }
    const options = check({ token: () => 'ada' })
    expect(await given(options, RULES, time)).toEqual({ token: 'ada' })
    const wrong = given(check({ token: () => 5 }), RULES, time)
    await expect(wrong).rejects.toMatchObject({
      message: expect.stringContaining('it is a string, not a number'),
    })
  })
})

describe('a form of an option', () => {
  const SHORT = patternForm(/^[a-z]{1,3}$/, 'one to three letters')
  const TLS = tlsForm('ca, cert')
  const RECORD = objectForm('an object { ca }')

  test.each<[string, FormOf, unknown[]]>([
    ['textForm', textForm, ['', 'a']],
    ['filledForm', filledForm, ['a']],
    ['pemForm', pemForm, ['-----BEGIN']],
    ['textsForm', textsForm, ['a', ['a', 'b'], []]],
    ['flagForm', flagForm, [true, false]],
    ['functionForm', functionForm, [() => {}, class {}]],
    ['numberForm', numberForm(0, 1), [0, 0.5, 1]],
    ['numberForm without a bound', numberForm(1), [1.5, Number.MAX_SAFE_INTEGER]],
    ['wholeNumberForm', wholeNumberForm(1, 3), [1, 2, 3]],
    ['choiceForm', choiceForm(['stay', 'remove']), ['stay', 'remove']],
    ['patternForm', SHORT, ['a', 'abc']],
    ['tlsForm', TLS, [true, false, {}]],
    ['objectForm', RECORD, [{}, Object.create(null)]],
  ])('%s takes the values that it names', (_name, form, values) => {
    expect(values.map(form)).toEqual(values.map(() => false))
  })

  test.each<[string, FormOf, unknown[], string]>([
    ['textForm', textForm, [1, null, new String('a')], 'a string'],
    ['filledForm', filledForm, ['', 1], 'a string that is not empty'],
    ['pemForm', pemForm, ['', new Uint8Array(4)], 'a string with PEM text'],
    ['textsForm', textsForm, [1, ['a', 1], null], 'a string or an array of strings'],
    ['flagForm', flagForm, [0, 'true', null], 'true or false'],
    ['functionForm', functionForm, ['f', {}], 'a function'],
    ['numberForm', numberForm(0, 1), [-0.1, 1.1, Number.NaN, '1'], 'a number from 0 to 1'],
    ['numberForm without a bound', numberForm(1), [0, Infinity], 'a number from 1'],
    ['wholeNumberForm', wholeNumberForm(1, 3), [0, 4, 1.5, '1'], 'a whole number from 1 to 3'],
    ['choiceForm', choiceForm(['stay', 'remove']), ['Stay', null], "'stay' or 'remove'"],
    ['patternForm', SHORT, ['', 'abcd', 5, ['a']], 'one to three letters'],
    ['tlsForm', TLS, ['yes', null, [], new Map()], 'true, false or an object { ca, cert }'],
    ['objectForm', RECORD, [null, [], 'ca', new Map()], 'an object { ca }'],
  ])('%s names the form of a value that has another', (_name, form, values, words) => {
    expect(values.map(form)).toEqual(values.map(() => words))
  })
})
