// The servers of the benchmark, on free ports of the loopback interface: PostgreSQL from npm and
// Redis from the system. They end with this process, also when it is killed.
import { KeptServer } from '../../__test__/helpers/postgres/kept.js'
import { answers, freePort } from '../../__test__/helpers/postgres/ports.js'
import { TcpProxy } from '../../__test__/helpers/postgres/proxy.js'
import { PostgresServer } from '../../__test__/helpers/postgres/server.js'
import { waitFor } from '../../__test__/helpers/time.js'
import { load } from '../peers/index.js'

export async function startPostgres() {
  const server = new PostgresServer({ settings: { shared_buffers: '128MB', max_wal_size: '1GB' } })
  await server.create()
  return {
    port: server.port,
    url: (port = server.port) => server.url({ port }),
    /** How many sessions there are, besides the one that counts. */
    async connections() {
      const { rows } = await server.query(
        "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()",
      )
      return Number(rows[0].count)
    },
    close: () => server.destroy(),
  }
}

export async function startRedis() {
  const server = new KeptServer()
  await server.ask('folder')
  const port = await freePort()
  // Without persistence, its fastest.
  const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
  try {
    await server.launch('redis-server', args)
  } catch (cause) {
    await server.destroy()
    throw new Error('The benchmark needs redis-server: apt-get install redis-server', { cause })
  }
  await waitFor(() => answers(port), { every: 20, what: `Redis answers on port ${port}` })
  const Redis = await load('ioredis')
  const client = new Redis(port)
  return {
    port,
    url: (/** @type {number} */ at = port) => `redis://127.0.0.1:${at}`,
    async connections() {
      return (await client.client('LIST')).trim().split('\n').length - 1
    },
    async close() {
      client.disconnect()
      await server.destroy()
    },
  }
}

/** A network with this delay in each direction, in ms. @param {number} port @param {number} delay */
export async function startNetwork(port, delay) {
  const proxy = new TcpProxy(port)
  await proxy.listen()
  proxy.delay = delay
  return proxy
}
