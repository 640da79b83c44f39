// Four processes serve a key-value store that is one JSON file on disk. Under load, one of them is killed in the middle
// of a write. In the end the file itself shows that nothing was lost.
//
//   node examples/demo/main.js                about 12 s; exit code 0 if every check passed
//   node examples/demo/main.js --port 3000    runs until Ctrl-C, so that you can send requests
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { RWLock } from 'process-rwlock'
import { currencyNames } from './data.js'
import { Fleet } from './fleet.js'
import { prove } from './proof.js'
import { Store, sumOf } from './store.js'
import { ms, number, print, printCheck, printEvent, printRow, printTableHead, styled } from './terminal.js'

const SERVERS = 4
const LOAD = 10_000 // ms
const KILL = 4500 // ms after the load has begun
const BOUND = 28_000 // ms for everything; after that something hangs
const INSPECT_INTERVAL = 20 // ms between two inspections of the lock

const port = askedPort()
const directory = mkdtempSync(join(tmpdir(), 'process-rwlock-demo-'))
const store = new Store(directory)
// A lock without a name gets a random one. The servers open it by its JSON.
const lock = new RWLock(undefined, { label: 'primary' })
const lockRef = JSON.stringify(lock)
const fleet = new Fleet({ LOCK: lockRef, DIRECTORY: directory, PORT: String(port ?? 0) })
/** @type {import('node:child_process').ChildProcess | undefined} */
let load
let stopTable = () => {}
/** @type {{ pid: number, tornOnDisk: boolean, at: bigint } | undefined} */
let kill
/** @type {{ died: number, torn: boolean, after: number, took: number }[]} */
const repairs = []

/** @type {Promise<never>} rejects with why everything must end early: an error, or the name of a signal */
const ended = new Promise((_, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => reject(signal))
  process.once('uncaughtException', reject)
  process.stdout.on('error', () => reject('SIGPIPE')) // the reader of the output is gone
  fleet.on('error', reject)
  if (port === undefined) {
    setTimeout(() => reject(new Error(`it is not done after ${BOUND / 1000} s`)), BOUND).unref()
  }
})
ended.catch(() => {})

try {
  const initial = currencyNames()
  await store.create(initial)
  const passed = await Promise.race([port === undefined ? demo(initial) : serve(), ended])
  process.exitCode = passed ? 0 : 1
} catch (reason) {
  process.exitCode = typeof reason === 'string' ? interrupted(reason) : failed(reason)
} finally {
  await tidyUp()
}
// After a failure, handles that are still open must not keep the process alive.
process.exit()

/** @param {Record<string, string>} initial */
async function demo(initial) {
  const entries = number(Object.keys(initial).length)
  const kilobytes = Math.round(statSync(store.file).size / 1000)
  print()
  print(styled('bold', 'process-rwlock: one file, four processes that write it, and a crash'))
  print()
  print(`A key-value store of ${entries} entries is one JSON file of ${kilobytes} kB. Four servers`)
  print('share it: a GET reads the file under lock.read, a PUT rewrites it in place,')
  print('in two halves, under lock.write. One server is killed between the halves.')
  print()

  const boundPort = await fleet.start(SERVERS)
  const keys = JSON.stringify(Object.keys(initial))
  load = fork(fileURLToPath(new URL('load.js', import.meta.url)), {
    env: { ...process.env, PORT: String(boundPort), KEYS: keys },
  })
  const record = once(load, 'message')
  load.once('exit', (code, signal) => {
    if (code === 0 || load?.killed) return
    fleet.emit('error', new Error(`the load generator ended with ${signal ?? `code ${code}`}`))
  })

  fleet.takeReports()
  printTableHead()
  table()
  await sleep(KILL)
  const replaced = once(fleet, 'replaced')
  fleet.crash(2)
  await Promise.all([replaced, sleep(LOAD - KILL)])
  load.send('stop')
  const [recorded] = await record
  stopTable()

  const state = await lock.read(() => store.read())
  const checks = prove({ initial, state, load: recorded, kill, repairs })
  await tidyUp()
  checks.push(leftBehind())
  print()
  for (const { passed, text } of checks) printCheck(passed, text)
  print()
  const passed = checks.every((check) => check.passed)
  const [repair] = repairs
  if (repair) {
    const [writer, complete] = [repair.after, repair.after + repair.took].map(ms)
    print(
      `From the kill to the next writer: ${styled('bold', writer)}. To a complete file again: ${complete}.`,
    )
  }
  print(passed ? styled('green', 'Every check passed.') : styled('red', 'A check failed.'))
  print()
  print(`To watch your own locks live: ${styled('bold', 'npx process-rwlock top')}`)
  print(`To record who held one, and who waited: ${styled('bold', 'npx process-rwlock trace NAME')}`)
  print()
  return passed
}

async function serve() {
  const url = `http://localhost:${await fleet.start(SERVERS)}`
  print()
  print(`${styled('bold', url)} is a key-value store in one JSON file, with ${SERVERS} servers.`)
  print('Read it, write it, kill a server in the middle of a write, inspect the lock, send load:')
  print()
  print(`  curl ${url}/de/JPY`)
  print(`  curl -X PUT -d '"Yen"' ${url}/de/JPY`)
  print(`  curl -X PUT -d '"Yen"' '${url}/de/JPY?crash'`)
  print(`  curl ${url}/`)
  print(`  npx autocannon -c 16 ${url}/en/EUR`)
  print('  npx process-rwlock top')
  print()
  print('Requests are shown below. Ctrl-C ends the demo.')
  print()
  printTableHead()
  table({ quiet: true })
  return ended
}

/**
 * Prints a row every second, and what happens between.
 *
 * @param {{ quiet?: boolean }} [options] quiet: no row for a second in which nothing was asked
 */
function table({ quiet = false } = {}) {
  tellOfCrashes()
  let [mostHolders, mostWaiters, seconds] = [0, 0, 0]
  const look = setInterval(() => {
    const { holders, waiters } = lock.inspect()
    const sum = (parties) => parties.reduce((total, party) => total + party.count, 0)
    mostHolders = Math.max(mostHolders, sum(holders))
    mostWaiters = Math.max(mostWaiters, sum(waiters))
  }, INSPECT_INTERVAL)
  const row = setInterval(() => {
    seconds++
    const reports = fleet.takeReports()
    if (reports.torn > 0) fleet.emit('error', new Error('a torn file was read under the lock'))
    const requests = reports.reads + reports.writes
    if (requests > 0 || !quiet) {
      printRow([
        `${seconds} s`,
        number(requests),
        number(reports.reads),
        number(reports.writes),
        ms(reports.loopDelay),
        String(mostHolders),
        String(mostWaiters),
      ])
    }
    mostHolders = mostWaiters = 0
  }, 1000)
  stopTable = () => {
    clearInterval(look)
    clearInterval(row)
  }
}

function tellOfCrashes() {
  const began = performance.now()
  const tell = (text) => printEvent((performance.now() - began) / 1000, text)
  fleet.on('halfway', ({ number, pid }) => {
    // The server holds the lock and waits, so no other process writes the file now.
    const tornOnDisk = sumOf(readFileSync(store.file)) === null
    kill = { pid, tornOnDisk, at: process.hrtime.bigint() }
    process.kill(pid, 'SIGKILL')
    const state = tornOnDisk ? 'torn' : 'complete'
    tell(`server ${number} (pid ${pid}) is killed in mid-write: the file on disk is ${state}`)
  })
  fleet.on('repaired', ({ number }, { died, torn, entered, repaired }) => {
    const after = kill ? Number(BigInt(entered) - kill.at) / 1e6 : 0
    const took = Number(BigInt(repaired) - BigInt(entered)) / 1e6
    repairs.push({ died, torn, after, took })
    tell(`server ${number} is the next writer, ${ms(after)} later: ownerDied is pid ${died}`)
    tell(`server ${number} ${torn ? 'puts the backup back' : 'finds the file complete'}, in ${ms(took)}`)
  })
  fleet.on('died', ({ number, pid }, signal) => {
    if (pid !== kill?.pid) tell(`server ${number} (pid ${pid}) died of ${signal}`)
  })
  fleet.on('replaced', ({ number, pid }) => tell(`server ${number} is back, as pid ${pid}`))
}

/** Ends and removes everything there is, and does nothing the second time. */
async function tidyUp() {
  stopTable()
  if (load?.kill('SIGKILL')) await once(load, 'exit')
  await fleet.stop()
  lock.close()
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
}

/** After everything has ended. @returns {{ passed: boolean, text: string }} */
function leftBehind() {
  const left = [
    ...[...fleet.pids, load?.pid ?? 0].filter(isRunning).map((pid) => `process ${pid}`),
    ...RWLock.list()
      .filter(({ name }) => JSON.stringify({ name }) === lockRef)
      .map(({ name }) => `lock ${name}`),
    ...(existsSync(directory) ? [directory] : []),
  ]
  const passed = left.length === 0
  return {
    passed,
    text: passed ? 'no process, lock or file is left behind' : `left behind: ${left.join(', ')}`,
  }
}

/** @param {number} pid */
function isRunning(pid) {
  try {
    return pid > 0 && process.kill(pid, 0)
  } catch {
    return false
  }
}

/** @param {string} signal */
function interrupted(signal) {
  print()
  print(port === undefined ? `Ended by ${signal} before the checks.` : 'Ended.')
  return port === undefined ? 1 : 0
}

/** @param {Error} error */
function failed(error) {
  console.error(`\n  ${styled('red', 'The demo failed')}: ${error.message}`)
  return 1
}

function askedPort() {
  try {
    const { values } = parseArgs({ options: { port: { type: 'string' } } })
    if (values.port === undefined) return undefined
    const asked = Number(values.port)
    if (Number.isInteger(asked) && asked >= 0 && asked < 65536) return asked
    throw new Error('--port takes a number from 0 to 65535')
  } catch (error) {
    console.error(`${error.message}\nUsage: npm run demo [-- --port <number>]`)
    process.exit(2)
  }
}
