// Takes the pictures of docs/images. PICTURES=1 npm run test:console -- takes them; PICTURES_MODEL names a chat model to show instead of
// models/tiny.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { useConsole } from '../../testing/console.ts'
import { tinyPath } from '../../testing/references.ts'
import { useSwarm } from '../../testing/swarm.ts'

const model = process.env.PICTURES_MODEL ?? tinyPath
const folder = join(import.meta.dirname, '../../docs/images')
const blocks = model === tinyPath ? 12 : 30
const half = blocks / 2

describe('pictures of the console', { skip: process.env.PICTURES ? false : 'set PICTURES=1 to take them' }, () => {
  const used = useSwarm(
    [
      [0, half],
      [half, blocks]
    ],
    { path: model }
  )
  const consoleOf = useConsole(() => used.swarm)
  const size = { viewport: { width: 1200, height: 720 }, colorScheme: 'light' } as const

  async function save(page: Page, name: string): Promise<void> {
    await mkdir(folder, { recursive: true })
    await page.mouse.move(0, 0)
    await page.waitForTimeout(300)
    await page.screenshot({ path: join(folder, `${name}.png`) })
  }

  it('of the chat', { timeout: 180_000 }, async () => {
    const { page } = await consoleOf.open('/', size)
    await page.getByRole('button', { name: 'Settings', exact: true }).click()
    await page.getByLabel('Most tokens').fill('180')
    await page.getByLabel('Temperature').fill('0')
    if (model !== tinyPath)
      await page.getByLabel('System prompt').fill('You are a helpful assistant. Answer with short code.')
    await page.getByRole('button', { name: 'Close the settings' }).click()
    await page.getByLabel('Message').fill('Write a Python function that adds two numbers.')
    await page.keyboard.press('Enter')
    await page.locator('article.answer[data-state="done"]').waitFor({ timeout: 120_000 })
    await page.evaluate(() => scrollTo(0, 0))
    await save(page, 'console-chat')
  })

  it('of the swarm', { timeout: 120_000 }, async () => {
    const quarter = Math.round(half / 2)
    const third = await used.swarm.add([quarter, half + quarter], { name: 'basement' })
    const { page } = await consoleOf.open('/#/swarm', { ...size, colorScheme: 'dark' })
    await page.locator('table.map tbody tr', { hasText: 'basement' }).getByText('online').waitFor()
    await page.waitForTimeout(3000)
    await used.swarm.servers[1]!.stop()
    await page.getByText('▲ incomplete').waitFor()
    await page.waitForTimeout(16_000)
    await save(page, 'console-swarm')
    await used.swarm.add([half, blocks])
    await third.stop()
  })

  it('of fine-tuning', { timeout: 300_000 }, async () => {
    const { page } = await consoleOf.open('/#/fine-tuning', size)
    const states = [
      'Texas, Austin',
      'Ohio, Columbus',
      'Iowa, Des Moines',
      'Oregon, Salem',
      'Maine, Augusta',
      'Idaho, Boise'
    ]
    const rows = states.flatMap(text => {
      const [state, city] = text.split(', ')
      return [
        { role: 'user', content: `What is the capital of ${state}?` },
        { role: 'user', content: `Which city governs ${state}? Please answer briefly.` }
      ].map(message => ({ messages: [message, { role: 'assistant', content: `${city}.` }] }))
    })
    const buffer = Buffer.from(rows.map(row => JSON.stringify(row)).join('\n'))
    const prepare = async (name: string, rate: string): Promise<void> => {
      await page
        .getByLabel('Training data')
        .setInputFiles({ name: 'capitals.jsonl', mimeType: 'application/jsonl', buffer })
      await page.getByLabel('Name', { exact: true }).fill(name)
      await page.getByLabel('Epochs').fill('8')
      await page.getByLabel('Batch size').fill('4')
      await page.getByLabel('LoRA rank').fill('4')
      await page.getByLabel('Evaluation share').fill('0.25')
      await page.getByRole('spinbutton', { name: 'Learning rate' }).fill(rate)
      await page.locator('button:not(:disabled)', { hasText: 'Start the run' }).waitFor()
    }
    await prepare('capitals', '0.002')
    await page.locator('.example').first().scrollIntoViewIfNeeded()
    await page.getByRole('heading', { name: 'New run' }).scrollIntoViewIfNeeded()
    await page.setViewportSize({ width: 1200, height: 1000 })
    await save(page, 'console-data')
    await page.setViewportSize(size.viewport)
    await page.getByRole('button', { name: 'Start the run' }).click()
    const finished = page.locator('table .state[data-job="succeeded"]')
    await finished.first().waitFor({ timeout: 120_000 })
    await page.getByRole('button', { name: 'New run' }).click()
    await prepare('capitals-slow', '0.0003')
    await page.getByRole('button', { name: 'Start the run' }).click()
    await finished.nth(1).waitFor({ timeout: 120_000 })
    await page.getByLabel('Show capitals', { exact: true }).check()
    await page.waitForTimeout(2500)
    await page.setViewportSize({ width: 1200, height: 860 })
    await save(page, 'console-fine-tuning')
  })
})
