// Four processes move money between accounts. Each account is a file with its own lock, and a transfer needs two of them.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lockAll, RWLock } from 'process-rwlock'

const accounts = ['anna', 'ben', 'cleo']
const locks = Object.fromEntries(
  accounts.map((account) => [account, new RWLock(`my-app/account/${account}`)]),
)

/** Moves an amount from one account to another, whatever other processes do meanwhile. */
function transfer(folder, from, to, amount) {
  return lockAll(
    [{ lock: locks[from] }, { lock: locks[to] }],
    async () => {
      const balance = await load(folder, from)
      if (balance < amount) return false
      await save(folder, from, balance - amount)
      await save(folder, to, (await load(folder, to)) + amount)
      return true
    },
    { timeout: 10_000 }, // for both locks together
  )
}

/** The sum of all accounts at one moment. */
function total(folder) {
  return lockAll(
    accounts.map((account) => ({ lock: locks[account], mode: 'read' })),
    async () => {
      const balances = await Promise.all(accounts.map((account) => load(folder, account)))
      return balances.reduce((sum, balance) => sum + balance)
    },
  )
}

async function load(folder, account) {
  return Number(await readFile(join(folder, account), 'utf8'))
}

function save(folder, account, balance) {
  return writeFile(join(folder, account), String(balance))
}

if (process.send) {
  const [folder = '', from = '', to = ''] = process.argv.slice(2)
  for (let i = 0; i < 20; i++) await transfer(folder, from, to, 1)
  process.disconnect()
} else {
  const folder = await mkdtemp(join(tmpdir(), 'several-locks-'))
  for (const account of accounts) await save(folder, account, 100)

  // Opposite directions: with two calls of lock.write(), one inside the other, these would wait for each other for ever.
  const directions = [
    ['anna', 'ben'],
    ['ben', 'anna'],
    ['ben', 'cleo'],
    ['cleo', 'anna'],
  ]
  const children = directions.map((direction) => fork(import.meta.filename, [folder, ...direction]))
  await Promise.all([...children.map((child) => once(child, 'exit')), total(folder)])

  console.log('total:', await total(folder)) // total: 300
  const self = await transfer(folder, 'anna', 'anna', 1) // the same lock twice: it is acquired once
  console.log(self) // true
  await rm(folder, { recursive: true })
}
