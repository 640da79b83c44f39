// What needs a browser: Chrome's trace viewer, of which the Perfetto UI has a copy, because not every
// build of Chromium has one; and the picture of a trace in the documentation.
import { spawn } from 'node:child_process'
import { createReadStream, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { perfettoFolder } from './perfetto.js'

const TYPES = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
}
const SIZE = { width: 1280, height: 760 }
const BOUND = 60_000

/** Shows the threads of all processes. */
const EXPAND =
  "[...document.querySelectorAll('button')].find((button) => button.innerText.includes('unfold_more')).click()"

/**
 * @param {string} trace a file of PROCESS_RWLOCK_TRACE
 * @param {string[]} processes what must be shown
 * @param {string} picture the PNG
 */
export async function takePicture(trace, processes, picture) {
  const server = await serve(trace)
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  try {
    await withBrowser(async (browser) => {
      const page = await browser.open(
        `http://127.0.0.1:${port}/#!/?url=http://127.0.0.1:${port}/trace.json&hideSidebar=true`,
      )
      await page.until(`${JSON.stringify(processes)}.every((name) => document.body.innerText.includes(name))`)
      await page.run(EXPAND)
      writeFileSync(picture, await page.picture())
    })
  } finally {
    server.close()
    server.closeAllConnections()
  }
}

/**
 * The spans of a trace as Chrome's viewer has read them, and what it found wrong.
 *
 * @param {string} trace the text
 * @returns {Promise<{ spans: string[], warnings: string[] }>}
 */
export function readInChrome(trace) {
  return withBrowser(async (browser) => {
    const viewer = join(perfettoFolder(), 'assets/catapult_trace_viewer.html')
    const page = await browser.open(pathToFileURL(viewer).href)
    await page.until("typeof tr === 'object' && typeof tr.importer?.Import === 'function'")
    return page.run(`(${importTrace})(${JSON.stringify(trace)})`)
  })
}

/** Runs in the page. @param {string} text */
function importTrace(text) {
  const { tr } = /** @type {any} */ (globalThis)
  const model = new tr.Model()
  new tr.importer.Import(model, new tr.importer.ImportOptions()).importTraces([text])
  const events = [...model.getDescendantEvents()].filter(({ category }) =>
    ['hold', 'wait'].includes(category),
  )
  return {
    spans: events.map(({ title, didNotFinish }) => `${title}${didNotFinish ? ', open' : ''}`),
    warnings: model.importWarnings.map(({ type, message }) => `${type}: ${message}`),
  }
}

/**
 * @template T
 * @param {(browser: Browser) => Promise<T>} use
 */
async function withBrowser(use) {
  const profile = mkdtempSync(join(tmpdir(), 'process-rwlock-chromium-'))
  const browser = new Browser(profile)
  try {
    return await use(browser)
  } finally {
    await browser.close()
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** The UI, and the trace beside it. @param {string} trace */
async function serve(trace) {
  const folder = perfettoFolder()
  const server = createServer(({ url = '/' }, response) => {
    const { pathname } = new URL(url, 'http://localhost')
    const relative = pathname === '/' ? 'index.html' : pathname.replace(/^\/(v\d[^/]*\/)?/, '')
    const file = pathname === '/trace.json' ? trace : join(folder, relative)
    if (!existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404).end()
      return
    }
    response.writeHead(200, { 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream' })
    createReadStream(file).pipe(response)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)))
  return server
}

/** Chromium, by its DevTools protocol over pipes. */
class Browser {
  #process
  #input = ''
  #last = 0
  /** @type {Map<number, (answer: any) => void>} */
  #waiting = new Map()

  /** @param {string} profile an empty folder */
  constructor(profile) {
    const args = [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--remote-debugging-pipe',
      '--hide-scrollbars',
      `--user-data-dir=${profile}`,
      `--window-size=${SIZE.width},${SIZE.height}`,
    ]
    this.#process = spawn('chromium', args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] })
    this.#process.stdio[4]?.on('data', (data) => this.#receive(String(data)))
  }

  /** @param {string} method @param {object} [params] @param {string} [sessionId] @returns {Promise<any>} */
  async send(method, params = {}, sessionId) {
    const id = ++this.#last
    const answer = new Promise((resolve) => this.#waiting.set(id, resolve))
    const pipe = /** @type {import('node:stream').Writable} */ (this.#process.stdio[3])
    pipe.write(`${JSON.stringify({ id, method, params, sessionId })}\0`)
    const { result, error } = await answer
    if (error) throw new Error(`${method}: ${error.message}`)
    return result
  }

  /** @param {string} text */
  #receive(text) {
    const messages = (this.#input + text).split('\0')
    this.#input = messages.pop() ?? ''
    for (const message of messages.map((each) => JSON.parse(each))) {
      this.#waiting.get(message.id)?.(message)
      this.#waiting.delete(message.id)
    }
  }

  /** @param {string} url */
  async open(url) {
    const { targetId } = await this.send('Target.createTarget', { url })
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true })
    await this.send(
      'Emulation.setDeviceMetricsOverride',
      { ...SIZE, deviceScaleFactor: 1, mobile: false },
      sessionId,
    )
    return new Page((method, params) => this.send(method, params, sessionId))
  }

  async close() {
    const ended = new Promise((resolve) => this.#process.once('close', resolve))
    await this.send('Browser.close').catch(() => this.#process.kill())
    await ended
  }
}

class Page {
  /** @param {(method: string, params?: object) => Promise<any>} send */
  constructor(send) {
    this.send = send
  }

  /** @param {string} code @returns {Promise<any>} */
  async run(code) {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', {
      expression: code,
      awaitPromise: true,
      returnByValue: true,
    })
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
    return result.value
  }

  /** @param {string} condition */
  async until(condition) {
    const deadline = performance.now() + BOUND
    while (!(await this.run(condition))) {
      if (performance.now() > deadline)
        throw new Error(`the page does not get so far within ${BOUND} ms: ${condition}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  /** A picture, once two in a row are the same. */
  async picture() {
    const deadline = performance.now() + BOUND
    for (let before = ''; ; ) {
      const { data } = await this.send('Page.captureScreenshot', { format: 'png' })
      if (data === before) return Buffer.from(data, 'base64')
      if (performance.now() > deadline) throw new Error(`the page does not come to rest within ${BOUND} ms`)
      before = data
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
  }
}
