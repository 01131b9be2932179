import { randomBytes } from 'node:crypto'
import { onTestFinished } from 'vitest'
import { RawPage } from './raw-page.ts'
import { pageUrlOf } from './served-pages.ts'

/** Opens a page by hand that says nothing. It ends with the test. */
export async function openRawPage(url: string): Promise<RawPage> {
  const page = await RawPage.connect(pageUrlOf(url))
  onTestFinished(() => page.terminate())
  return page
}

/** A page by hand that may publish, under its prefix. */
export type LetInPage = RawPage & { readonly prefix: string }

/** Opens a page by hand and has it let in. */
export async function rawPageLetIn(url: string, token: string): Promise<LetInPage> {
  const page = await openRawPage(url)
  page.hello({ version: 1, hub: 'default', secret: randomBytes(16).toString('hex'), token })
  const { prefixes } = JSON.parse((await page.next('welcome')).text)
  return Object.assign(page, { prefix: String(prefixes[0]) })
}
