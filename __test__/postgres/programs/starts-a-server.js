// Starts a server, says which, and keeps it.
import { PostgresServer } from '../../helpers/postgres/server.js'

const server = new PostgresServer()
await server.create()
process.send?.({ type: 'started', folder: server.folder, pid: server.pid })
