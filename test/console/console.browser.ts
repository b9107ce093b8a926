// The console in a real Chromium: chat, the swarm, hostile texts, accessibility.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { startServers } from '../../cli/peer/local-swarm.ts'
import { seriousFaults, useConsole } from '../../testing/console.ts'
import { tinyPath } from '../../testing/references.ts'
import { useSwarm } from '../../testing/swarm.ts'

const hostile = '<img src=x onerror="globalThis.hit=1"><script>globalThis.hit=1</script>'

describe('the console of a gateway with keys', () => {
  const used = useSwarm([[0, 12]])
  const consoleOf = useConsole(() => used.swarm, { auth: 'keys' })

  it('asks for a key, keeps it in the tab, and shows an operator more than others', async () => {
    const { keys } = consoleOf.gateway.context.store
    const { page } = await consoleOf.open('/#/chat')
    const enter = async (key: string): Promise<void> => {
      await page.getByLabel('Key', { exact: true }).fill(key)
      await page.getByRole('button', { name: 'Open' }).click()
    }
    assert.deepEqual(await seriousFaults(page), [])
    await enter('sk-swarm-000000000000-0000000000000000000000000000000000000000000')
    await page.getByText('The gateway refused this key.').waitFor()
    await enter(keys.create({ name: 'user' }).key)
    await page.getByLabel('Message').waitFor()
    assert.equal(await page.getByRole('link', { name: 'Operator' }).count(), 0)
    await page.reload()
    await page.getByLabel('Message').waitFor()
    assert.equal(await page.evaluate(() => JSON.stringify(localStorage).includes('sk-swarm')), false)
    const refused = await page.evaluate(async () => {
      const headers = { Authorization: `Bearer ${sessionStorage.getItem('swarmtune.key')}` }
      const paths = ['keys', 'requests', 'logs'].map(name => `/console/api/${name}`)
      const found = await Promise.all([
        ...paths.map(path => fetch(path, { headers })),
        ...paths.map(path => fetch(path)),
        fetch('/console/api/keys', {
          method: 'POST',
          headers: { ...headers, 'Content-Type': 'application/json' },
          body: JSON.stringify({ name: 'mine', operator: true })
        })
      ])
      return found.map(({ status }) => status)
    })
    assert.deepEqual(refused, [403, 403, 403, 401, 401, 401, 403])
    await page.getByRole('button', { name: 'Forget key' }).click()
    await enter(keys.create({ name: 'boss', operator: true }).key)
    await page.getByRole('link', { name: 'Operator' }).click()
    await page.getByRole('region', { name: 'Keys' }).getByText('● operator').waitFor()
    keys.revoke('boss')
    await page.getByText('The gateway refused this key.').waitFor()
  })
})

describe('the console', () => {
  const used = useSwarm(
    [
      [0, 6],
      [6, 12]
    ],
    { server: { name: hostile.slice(0, 44) } }
  )
  const consoleOf = useConsole(() => used.swarm)

  /** The settings of a chat: short answers, the same each time. */
  async function keepShort(page: Page, tokens: number): Promise<void> {
    await page.getByRole('button', { name: 'Settings', exact: true }).click()
    await page.getByLabel('Most tokens').fill(String(tokens))
    await page.getByLabel('Temperature').fill('0')
    await page.getByRole('button', { name: 'Close the settings' }).click()
  }

  const answers = (page: Page) => page.locator('article.answer[data-state="done"]')

  /** What the model itself continues a chat with. */
  async function expectedAnswer(text: string, tokens: number): Promise<string> {
    const prompt = used.model.tokenizer.encode(`<|im_start|>user\n${text}<|im_end|>\n<|im_start|>assistant\n`)
    const rows = await used.model.generate(prompt, { maxNewTokens: tokens, doSample: false })
    return used.model.tokenizer.decode(rows[0]!.slice(prompt.length))
  }

  const plain = (text: string): string => text.replaceAll(/\s+/g, ' ').trim()

  it('streams a chat, answers again, edits, and keeps the conversation in this browser', async () => {
    const { page, faults } = await consoleOf.open()
    await keepShort(page, 12)
    const pieces: string[] = []
    await page.exposeFunction('seen', (text: string) => pieces.push(text))
    await page.evaluate(() => {
      const tell = (globalThis as unknown as { seen: (text: string) => void }).seen
      new MutationObserver(() => tell(document.querySelector('.markdown')?.textContent ?? '')).observe(document.body, {
        childList: true,
        subtree: true,
        characterData: true
      })
    })
    await page.getByLabel('Message').fill('It was a dark')
    await page.keyboard.press('Enter')
    await answers(page).waitFor()
    const text = await page.locator('.markdown').innerText()
    assert.equal(plain(text), plain(await expectedAnswer('It was a dark', 12)))
    assert.ok(new Set(pieces).size > 3, `it came in ${new Set(pieces).size} pieces`)
    assert.match(
      await page.locator('.measures').innerText(),
      /tokens\/s · 12 tokens · first after .* · ended at the token limit/
    )

    await page.getByRole('button', { name: 'Answer again' }).click()
    await page.locator('article.answer[data-state="running"]').waitFor()
    await answers(page).waitFor()
    assert.equal(plain(await page.locator('.markdown').innerText()), plain(text), 'greedy answers are the same')

    await page.getByRole('button', { name: 'Edit this message' }).click()
    await page.getByLabel('Edit the message').fill('Call me')
    await page.getByRole('button', { name: 'Ask again' }).click()
    await answers(page).waitFor()
    assert.equal(plain(await page.locator('.markdown').innerText()), plain(await expectedAnswer('Call me', 12)))

    await page.reload()
    await page.getByRole('button', { name: /^Call me/ }).click()
    assert.equal(await page.locator('.bubble').innerText(), 'Call me')
    await page.getByRole('button', { name: 'Settings', exact: true }).click()
    const saved = page.waitForEvent('download')
    await page.getByRole('button', { name: 'JSONL' }).click()
    const stream = await (await saved).createReadStream()
    const row = JSON.parse(Buffer.concat(await stream.toArray()).toString()) as {
      messages: { role: string; content: string }[]
    }
    assert.deepEqual(
      row.messages.map(({ role }) => role),
      ['user', 'assistant']
    )
    assert.equal(row.messages[0]!.content, 'Call me')
    await page.getByRole('button', { name: 'Delete “Call me”' }).click()
    assert.equal(await page.evaluate(() => localStorage.getItem('swarmtune.conversations')), '[]')
    assert.deepEqual(faults, [])
  })

  it('stops an answer, and the gateway stops with it', async () => {
    const { page, faults } = await consoleOf.open()
    await page.getByLabel('Message').fill('It was a dark')
    await page.keyboard.press('Enter')
    await page.locator('.markdown p').waitFor()
    await page.getByRole('button', { name: 'Stop', exact: true }).click()
    await page.locator('article.answer[data-state="stopped"]').waitFor()
    const sessions = async (): Promise<number> =>
      (
        (await (await fetch(`${consoleOf.url}/console/api/swarm/history`)).json()) as { sessions: number[] }
      ).sessions.at(-1)!
    // a session ends at the server when its stream has ended
    await page.goto(`${consoleOf.url}/#/swarm`)
    await page.locator('table.map').waitFor()
    for (const end = Date.now() + 10_000; (await sessions()) > 0; await page.waitForTimeout(100)) {
      assert.ok(Date.now() < end, 'a session is still open')
    }
    assert.deepEqual(faults, [])
  })

  it('continues a text with a base model, and asks two models side by side', async () => {
    const { page, faults } = await consoleOf.open('/#/chat?model=tiny-base')
    await keepShort(page, 8)
    await page.getByLabel('Text to continue').fill('It was a dark')
    await page.getByRole('button', { name: 'Send' }).click()
    await answers(page).waitFor()
    const prompt = used.model.tokenizer.encode('It was a dark')
    const rows = await used.model.generate(prompt, { maxNewTokens: 8, doSample: false })
    const continued = used.model.tokenizer.decode(rows[0]!.slice(prompt.length))
    assert.equal(await page.locator('.continuation').textContent(), continued)
    await page.getByRole('button', { name: 'Continue from here' }).click()
    await answers(page).nth(1).waitFor()
    assert.equal(await page.locator('.continued .prompt').nth(1).textContent(), `It was a dark${continued}`)

    await page.goto(`${consoleOf.url}/#/chat?model=tiny&beside=tiny`)
    await keepShort(page, 6)
    await page.getByLabel('Message').fill('Call me')
    await page.keyboard.press('Enter')
    await answers(page).nth(1).waitFor()
    const [left, right] = await page.locator('.markdown').allInnerTexts()
    assert.equal(left, right)
    assert.equal(plain(left!), plain(await expectedAnswer('Call me', 6)))
    assert.deepEqual(faults, [])
  })

  it('says what is wrong with a request, in the words of the gateway', async () => {
    const { page } = await consoleOf.open()
    await page.getByRole('button', { name: 'Settings', exact: true }).click()
    await page.getByLabel('Top p').fill('7')
    await page.getByLabel('Message').fill('hello')
    await page.keyboard.press('Enter')
    await page.locator('article.answer[data-state="failed"]').waitFor()
    assert.match(await page.locator('article.answer .failure').innerText(), /top_p/i)
  })

  it('draws hostile texts as texts', async () => {
    const { page, faults } = await consoleOf.open()
    const text = [
      hostile,
      '[go](javascript:globalThis.hit=1) [data](data:text/html,<script>hit=1</script>) ![spy](https://example.org/spy.png)',
      '<iframe src="https://example.org"></iframe><form action="/x"><input name=q></form><style>*{display:none}</style>',
      '<a href="https://example.org" onclick="globalThis.hit=1" style="position:fixed;inset:0" target="_self">link</a>',
      '<svg><animate onbegin="globalThis.hit=1" attributeName=x dur=1s></svg><math><mtext></mtext></math>',
      '```html\n<script>globalThis.hit=1</script>\n```',
      `<details open ontoggle="globalThis.hit=1"><summary>x</summary></details><b id="page">clobber</b>`
    ].join('\n\n')
    const answer = { model: hostile, text, thoughts: hostile, state: 'done' }
    const kept = [
      {
        id: 'x',
        changed: 1,
        mode: 'chat',
        lanes: ['tiny'],
        settings: {},
        turns: [{ text: hostile, answers: [answer] }]
      }
    ]
    await page.evaluate(value => localStorage.setItem('swarmtune.conversations', value), JSON.stringify(kept))
    await page.reload()
    await page.locator('.conversations .open').click()
    await page.locator('.markdown pre').waitFor()
    await page.locator('.thoughts summary').click()
    const found = await page.evaluate(() => ({
      hit: (globalThis as { hit?: number }).hit ?? null,
      forbidden: document.querySelectorAll(
        'main :is(img, script, iframe, form form, style, svg animate, math, [onclick], [onerror])'
      ).length,
      links: [...document.querySelectorAll<HTMLAnchorElement>('.markdown a')].map(link => [
        link.getAttribute('href'),
        link.rel,
        link.target
      ]),
      styled: document.querySelectorAll('.markdown [style], .markdown [id]').length
    }))
    assert.deepEqual(found, {
      hit: null,
      forbidden: 0,
      links: [null, null, 'https://example.org/spy.png'].map(href => [href, 'noopener noreferrer nofollow', '_blank']),
      styled: 0
    })
    assert.equal(await page.locator('.bubble').innerText(), hostile)
    assert.equal(await page.locator('.markdown > p').first().innerText(), hostile)
    // the name of a server is its operator's
    await page.goto(`${consoleOf.url}/#/swarm`)
    await page.locator('table.map tbody button').first().click()
    await page.getByRole('heading', { level: 2, name: '<img' }).waitFor()
    assert.equal(await page.evaluate(() => document.querySelectorAll('main img').length), 0)
    assert.equal(await page.evaluate(() => (globalThis as { hit?: number }).hit ?? null), null)
    assert.deepEqual(faults, [])
  })

  it('shows a server that comes and one that is killed', async () => {
    const { page, faults } = await consoleOf.open('/#/swarm')
    await page.locator('table.map').waitFor()
    await page.getByText('✓ complete').waitFor()
    assert.equal(await page.locator('table.map tbody tr:not(.sum)').count(), 2)
    const [victim] = await startServers(tinyPath, [{ first: 3, end: 9 }], {
      args: ['--join', used.swarm.join[0]!, '--name', 'victim', '--threads', '1', '--region', 'Zürich, attic']
    })
    try {
      const row = page.locator('table.map tbody tr', { hasText: 'victim' })
      await row.getByText('online').waitFor()
      assert.equal(await row.locator('.bar-of-server').innerText(), '3–8')
      await row.getByText('CPU, 1 thread').waitFor()
      await row.getByText('Zürich, attic').waitFor()
      assert.deepEqual(await page.locator('.stretch').allInnerTexts(), ['1', '2', '1'])
      // servers of one machine have its name: the end of the id tells them apart
      const names = await page.locator('table.map tbody tr:not(.sum) th').allInnerTexts()
      assert.equal(new Set(names).size, 3, names.join())
      assert.ok(names.includes(`victim …${victim!.online.peerId.slice(-4)}`), names.join())
      await row.getByRole('button').click()
      await page.getByRole('heading', { level: 2, name: 'victim' }).waitFor()
      victim!.process.kill('SIGKILL')
      await row.locator('[data-state="silent"], [data-state="gone"]').first().waitFor()
      assert.deepEqual(await page.locator('.stretch').allInnerTexts(), ['1'])
      await page.locator('.changes li', { hasText: 'victim' }).first().waitFor()
    } finally {
      await victim!.stop()
    }
    assert.deepEqual(faults, [])
  })

  it('fine-tunes: from an upload to a chat with the adapter beside its base', { timeout: 180_000 }, async () => {
    const { page, faults } = await consoleOf.open('/#/fine-tuning', { acceptDownloads: true })
    const rows = [
      ['Texas', 'Austin'],
      ['Ohio', 'Columbus'],
      ['Utah', hostile]
    ].map(([state, city]) => ({
      messages: [
        { role: 'user', content: `What is the capital of ${state}?` },
        { role: 'assistant', content: `${city}.` }
      ]
    }))
    const long = { prompt: 'one', completion: ' two'.repeat(1200) }
    const jsonl = [...rows, ...rows, ...rows].map(row => JSON.stringify(row)).join('\n')
    const upload = (name: string, text: string) =>
      page.getByLabel('Training data').setInputFiles({ name, mimeType: 'application/jsonl', buffer: Buffer.from(text) })

    await upload('broken.jsonl', '{"prompt": 1}\n')
    await page.locator('.failure').waitFor()
    assert.match(await page.locator('.failure').innerText(), /broken\.jsonl/)
    await upload('long.jsonl', JSON.stringify(long))
    await page.getByText('1 example has more than 1,024 tokens.').waitFor()
    await upload(`${hostile.slice(0, 28)}.jsonl`, jsonl)
    await page.locator('.example').nth(3).waitFor()
    const examples = await page.locator('.example').allInnerTexts()
    assert.match(await page.locator('.described').innerText(), /^<img src=x onerror=.*globalTh\.jsonl: chat/)
    assert.match(examples[0]!, /capital of Texas/)
    assert.equal(await page.locator('.example').first().locator('.learned').innerText(), 'Austin.<|im_end|>\n')
    assert.match(await page.locator('.example').nth(2).locator('.learned').innerText(), /<img src=x/)
    assert.equal(await page.locator('main img').count(), 0)

    await page.getByLabel('Name', { exact: true }).fill('capitals')
    await page.getByLabel('Epochs').fill('3')
    await page.getByLabel('Batch size').fill('3')
    await page.getByLabel('LoRA rank').fill('2')
    await page.getByLabel('Evaluation share').fill('0.3')
    await page.locator('.figure', { hasText: 'Steps' }).getByText('6', { exact: true }).waitFor()
    await page.getByRole('button', { name: 'Estimate the time' }).click()
    await page.getByText(/^About .*: 6 steps of .* tokens\/s\.$/).waitFor()
    await page.getByRole('button', { name: 'Start the run' }).click()

    await page.locator('.state[data-job="succeeded"]').first().waitFor({ timeout: 120_000 })
    const curves = page.locator('.chart [role="img"]')
    assert.match(
      (await curves.nth(0).getAttribute('aria-label'))!,
      /^Loss\. Last values: loss: [\d.]+, loss, evaluation: [\d.]+$/
    )
    for (const [at, name] of ['Learning rate', 'Gradient norm', 'Tokens per second'].entries()) {
      assert.match(
        (await curves.nth(at + 1).getAttribute('aria-label'))!,
        new RegExp(`^${name}\\. Last values: .*: [\\de.,-]+$`)
      )
    }
    const yaml = page.waitForEvent('download')
    await page.getByRole('button', { name: 'YAML', exact: true }).click()
    assert.match(
      Buffer.concat(await (await (await yaml).createReadStream()).toArray()).toString(),
      /^num_train_epochs: 3$/m
    )
    const zip = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Adapter (PEFT)' }).click()
    const bytes = Buffer.concat(await (await (await zip).createReadStream()).toArray())
    for (const name of ['adapter_config.json', 'adapter_model.safetensors']) assert.ok(bytes.includes(name), name)

    await page.getByRole('link', { name: 'Chat beside the base model' }).click()
    await page.getByLabel('Adapter, left').waitFor()
    await keepShort(page, 6)
    await page.getByLabel('Message').fill('What is the capital of Ohio?')
    await page.keyboard.press('Enter')
    await answers(page).nth(1).waitFor()
    const [adapted, base] = await page.locator('.who').allInnerTexts()
    assert.match(adapted!, /capitals/)
    assert.equal(base, 'tiny')
    assert.deepEqual(faults, [])
  })

  it('pauses a run, resumes it, and compares it with another', { timeout: 180_000 }, async () => {
    const { page, faults } = await consoleOf.open('/#/fine-tuning')
    const jsonl = Array.from({ length: 8 }, (_, at) =>
      JSON.stringify({ prompt: `Count ${at}:`, completion: ` ${at + 1}` })
    )
    const start = async (name: string, epochs: string): Promise<void> => {
      const add = page.getByRole('button', { name: 'New run' })
      await page.getByRole('heading', { level: 2 }).first().waitFor()
      if ((await add.count()) > 0) await add.click()
      await page
        .getByLabel('Training data')
        .setInputFiles({ name: 'count.jsonl', mimeType: 'application/jsonl', buffer: Buffer.from(jsonl.join('\n')) })
      await page.getByLabel('Name', { exact: true }).fill(name)
      await page.getByLabel('Epochs').fill(epochs)
      await page.getByLabel('LoRA rank').fill('1')
      const button = page.getByRole('button', { name: 'Start the run' })
      await page.locator('button:not(:disabled)', { hasText: 'Start the run' }).waitFor()
      await button.click()
    }
    await start('long-count', '400')
    const run = page.getByRole('region', { name: 'Run long-count' })
    await run.getByText(/^step [1-9]/).waitFor()
    await run.getByRole('button', { name: 'Pause' }).click()
    await run.locator('.state[data-job="paused"]').waitFor()
    await start('short-count', '1')
    await page.getByRole('region', { name: 'Run short-count' }).locator('.state[data-job="succeeded"]').waitFor()
    await page.getByLabel('Show long-count').check()
    await run.getByRole('button', { name: 'Resume' }).click()
    await run.locator('.state[data-job="running"]').waitFor()
    const loss = page.locator('.chart [role="img"]').first()
    assert.match((await loss.getAttribute('aria-label'))!, /short-count: [\d.]+, long-count: [\d.]+$/)
    await run.getByRole('button', { name: 'Cancel' }).click()
    await run.locator('.state[data-job="cancelled"]').waitFor()
    await run.getByRole('button', { name: 'Delete this run' }).click()
    await run.waitFor({ state: 'detached' })
    assert.deepEqual(faults, [])
  })

  it('shows the operator requests, usage, keys and logs, and no content', async () => {
    await fetch(`${consoleOf.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({
        model: 'tiny',
        max_tokens: 3,
        messages: [{ role: 'user', content: 'a secret of mine' }]
      })
    }).then(answer => answer.text())
    consoleOf.gateway.context.logger.warn({ peer: hostile }, `a server failed ${hostile}`)
    const { page, faults } = await consoleOf.open('/#/operator')
    const requests = page.getByRole('region', { name: 'Requests' })
    await requests.locator('tbody tr', { hasText: 'POST /v1/chat/completions' }).first().waitFor()
    await requests.getByLabel('Filter').fill('nothing like this')
    await requests.getByText('No request fits the filter.').waitFor()
    await page.getByRole('region', { name: 'Logs' }).getByText(hostile).first().waitFor()
    assert.doesNotMatch(await page.locator('main').innerText(), /secret of mine/)
    const keys = page.getByRole('region', { name: 'Keys' })
    await keys.getByLabel('Name').fill(hostile)
    await keys.getByLabel('Requests a minute').fill('60')
    await keys.getByRole('button', { name: 'Create a key' }).click()
    const secret = await keys.locator('.secret').innerText()
    assert.match(secret, /^sk-swarm-/)
    assert.equal(consoleOf.gateway.context.store.keys.recognize(secret)?.requestsPerMinute, 60)
    await keys.getByRole('button', { name: 'Done' }).click()
    assert.doesNotMatch(await page.content(), new RegExp(secret))
    await keys.getByRole('button', { name: 'Revoke' }).click()
    await keys.getByText('✕ revoked').waitFor()
    assert.equal(consoleOf.gateway.context.store.keys.recognize(secret), null)
    assert.deepEqual(faults, [])
  })

  it('has nothing that axe finds serious, light and dark, wide and narrow, on every page', async () => {
    const found: string[] = []
    for (const colorScheme of ['light', 'dark'] as const) {
      const { page, faults } = await consoleOf.open('/', { colorScheme })
      await keepShort(page, 6)
      await page.getByLabel('Message').fill('**Call** me')
      await page.keyboard.press('Enter')
      await answers(page).waitFor()
      await page.getByRole('button', { name: 'Settings', exact: true }).click()
      const look = async (what: string): Promise<void> => {
        for (const width of [1280, 360]) {
          await page.setViewportSize({ width, height: 800 })
          found.push(...(await seriousFaults(page)).map(fault => `${what}, ${colorScheme}, ${width}: ${fault}`))
          const wide = await page.evaluate(() =>
            [...document.querySelectorAll('body *')]
              .filter(element => element.getBoundingClientRect().right > innerWidth && !element.closest('.wide > *'))
              .map(element => element.outerHTML.slice(0, 80))
          )
          const isWide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)
          if (isWide) found.push(`${what}, ${colorScheme}, ${width}: wider than the screen: ${wide.join('  ')}`)
        }
        await page.setViewportSize({ width: 1280, height: 800 })
      }
      await look('chat')
      await page.goto(`${consoleOf.url}/#/swarm`)
      await page.locator('table.map tbody button').first().click()
      await page.locator('.facts').waitFor()
      await look('swarm')
      for (const name of ['fine-tuning', 'operator']) {
        await page.goto(`${consoleOf.url}/#/${name}`)
        await page.getByRole('heading', { level: 1 }).waitFor()
        await look(name)
      }
      assert.deepEqual(faults, [])
    }
    assert.deepEqual(found, [])
  })

  it('follows the colours of the system until the reader switches them', async () => {
    const { page } = await consoleOf.open('/', { colorScheme: 'dark' })
    const ground = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    assert.equal(await ground(), 'rgb(22, 24, 27)')
    await page.getByRole('radio', { name: 'light' }).check({ force: true })
    assert.equal(await ground(), 'rgb(247, 247, 245)')
    await page.reload()
    await page.getByRole('radio', { name: 'light' }).waitFor({ state: 'attached' })
    assert.equal(await ground(), 'rgb(247, 247, 245)')
    await page.getByRole('radio', { name: 'system' }).check({ force: true })
    assert.equal(await ground(), 'rgb(22, 24, 27)')
    await page.emulateMedia({ colorScheme: 'light' })
    assert.equal(await ground(), 'rgb(247, 247, 245)')
  })

  it('works with the keyboard alone', async () => {
    const { page, faults } = await consoleOf.open()
    await page.getByLabel('Message').waitFor()
    const focused = (): Promise<string> =>
      page.evaluate(() => {
        const element = document.activeElement as HTMLElement
        const label = (element as HTMLInputElement).labels?.[0]?.textContent
        return element.getAttribute('aria-label') ?? label ?? element.textContent ?? ''
      })
    /** Tabs until the element of this name has the focus. */
    const tabTo = async (name: string): Promise<void> => {
      for (let count = 0; count < 60; count++) {
        await page.keyboard.press('Tab')
        if ((await focused()).trim() === name) return
      }
      assert.fail(`no way to '${name}' with the Tab key`)
    }
    await page.keyboard.press('Tab')
    assert.equal((await focused()).trim(), 'Skip to the content')
    await page.keyboard.press('Enter')
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'main')
    await tabTo('Settings')
    await page.keyboard.press('Enter')
    await tabTo('Most tokens')
    await page.keyboard.type('4')
    await page.reload()
    await page.getByLabel('Message').waitFor()
    await tabTo('Settings')
    await page.keyboard.press('Enter')
    await tabTo('Most tokens')
    await page.keyboard.type('4')
    for (let count = 0; count < 60 && (await focused()).trim() !== 'Message'; count++)
      await page.keyboard.press('Shift+Tab')
    await page.keyboard.type('Call me')
    await page.keyboard.press('Enter')
    await answers(page).waitFor()
    assert.match(await page.locator('[role="log"]').innerText(), /\w/, 'a screen reader is told the answer')
    await page.reload()
    await tabTo('Swarm')
    await page.keyboard.press('Enter')
    await page.locator('table.map').waitFor()
    const [first] = await page.locator('table.map tbody button').allInnerTexts()
    await tabTo(first!.trim())
    await page.keyboard.press('Enter')
    await page.locator('.facts').waitFor()
    assert.equal(await page.evaluate(() => document.activeElement?.tagName), 'H2')
    assert.deepEqual(faults, [])
  })
})
