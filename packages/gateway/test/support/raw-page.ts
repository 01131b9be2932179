import { onTestFinished } from 'vitest'
import { RawPage } from '../../../websocket/test/support/raw-page.ts'
import { pageUrlOf } from './served-pages.ts'

/** Opens a page by hand that says nothing. It ends with the test. */
export async function openRawPage(url: string): Promise<RawPage> {
  const page = await RawPage.connect(pageUrlOf(url))
  onTestFinished(() => page.terminate())
  return page
}

/** Opens a page by hand and has it let in. */
export async function rawPageLetIn(url: string, token: string): Promise<RawPage> {
  const page = await openRawPage(url)
  page.hello({ version: 1, hub: 'default', token })
  await page.next('welcome')
  return page
}
