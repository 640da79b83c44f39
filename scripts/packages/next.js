// Builds and serves a route of Next.js that waits for a lock.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { programs } from './tools.js'

const TIME_LIMIT = 90_000 // ms until the server is ready

/**
 * @param {import('./fixture.js').FixtureProject} fixture
 * @param {string} node
 * @param {string[]} options of the build
 */
export async function next(fixture, node, options) {
  rmSync(join(fixture.folder, 'next/.next'), { recursive: true, force: true })
  await fixture.run(node, programs.next, 'build', 'next', ...options)
  // The files that are copied to a server must include the addon.
  const trace = readFileSync(join(fixture.folder, 'next/.next/server/app/lock/route.js.nft.json'), 'utf8')
  if (!/process-rwlock\.[\w-]+\.node"/.test(trace))
    throw new Error(`the addon is not among the files:\n${trace}`)
  await serve(fixture, node, async (url) => {
    const text = await (await fetch(new URL('lock', url))).text()
    if (!text.includes('"outcome":"granted"')) throw new Error(`the route answered:\n${text}`)
  })
}

/**
 * @param {import('./fixture.js').FixtureProject} fixture
 * @param {string} node
 * @param {(url: string) => Promise<void>} use
 */
async function serve({ folder, env }, node, use) {
  const args = [programs.next, 'start', 'next', '--hostname', '127.0.0.1', '--port', '0']
  const server = spawn(node, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = once(server, 'exit')
  let printed = ''
  let timer
  try {
    /** @type {Promise<string>} */
    const ready = new Promise((resolve, reject) => {
      for (const stream of [server.stdout, server.stderr]) {
        stream.on('data', (chunk) => {
          printed += chunk
          const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(printed) ?? []
          if (url && printed.includes('Ready')) resolve(url)
        })
      }
      ended.then(([code]) => reject(new Error(`the server ended with ${code}`)), reject)
      timer = setTimeout(() => reject(new Error('the server was not ready in time')), TIME_LIMIT)
    })
    await use(await ready)
  } catch (error) {
    throw new Error(`${error.message}\n${printed}`, { cause: error })
  } finally {
    clearTimeout(timer)
    server.kill('SIGKILL')
    await ended
  }
}
