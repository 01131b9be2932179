import type { Page } from 'playwright-core'
import type { Ledger } from 'rivulet'
import { onTestFinished } from 'vitest'
import { expectLaws } from '../../../../test/support/ledger-laws.ts'
import { openTab } from './chromium.ts'
import type { Heard, PageProgram } from './page-program.ts'
import { browserToken, pageUrlOf } from './served-pages.ts'

type Call = keyof PageProgram
type Result<Name extends Call> = Awaited<ReturnType<PageProgram[Name]>>

/** A tab of Chromium with a hub of its own. The ledger of each is lawful at the end of the test. */
export class Tab {
  readonly page: Page
  /** How many tokens it has asked for. */
  tokens = 0

  private constructor(page: Page) {
    this.page = page
  }

  static async open(
    url: string,
    { name = 'default', token = () => browserToken() as string | Promise<string> } = {},
  ): Promise<Tab> {
    const tab = new Tab(await openTab())
    await tab.page.exposeFunction('giveToken', () => {
      tab.tokens += 1
      return token()
    })
    onTestFinished(async () => {
      if (!tab.page.isClosed()) expectLaws(await tab.close())
    })
    await tab.#call('open', pageUrlOf(url), name)
    return tab
  }

  listen(stream: string): Promise<void> {
    return this.#call('listen', stream)
  }

  publish(stream: string, data: object): Promise<string> {
    return this.#call('publish', stream, data)
  }

  flood(stream: string): Promise<void> {
    return this.#call('flood', stream)
  }

  flush(): Promise<void> {
    return this.#call('flush')
  }

  heard(stream: string): Promise<Heard[]> {
    return this.#call('heard', stream)
  }

  statuses(): Promise<string[]> {
    return this.#call('statuses')
  }

  errors(): Promise<string[]> {
    return this.#call('errors')
  }

  ledger(): Promise<Ledger> {
    return this.#call('ledger')
  }

  close(): Promise<Ledger> {
    return this.#call('close')
  }

  #call<Name extends Call>(name: Name, ...given: Parameters<PageProgram[Name]>): Promise<Result<Name>> {
    const run = ([name, given]: [Call, unknown[]]) =>
      (globalThis.rivulet[name] as (...given: unknown[]) => unknown)(...given)
    return this.page.evaluate(run, [name, given] as [Call, unknown[]]) as Promise<Result<Name>>
  }
}
