// A class with decorated methods. Sends what it found.
import { locked, RWLock } from 'process-rwlock'

const shared = new RWLock()

class Store {
  readonly #lock = new RWLock()
  #inside = 0
  overlaps = false

  @locked((store: Store) => store.#lock, 'write')
  async save(value: number): Promise<string[]> {
    this.overlaps ||= this.#inside++ > 0
    await new Promise((resolve) => setImmediate(resolve))
    this.#inside--
    return [this.held(this.#lock), `saved ${value}`]
  }

  @locked((store: Store) => store.#lock, 'read')
  async load(): Promise<string[]> {
    return [this.held(this.#lock), 'loaded']
  }

  @locked(shared, 'write')
  static async open(): Promise<string[]> {
    return [new Store().held(shared), 'opened']
  }

  @locked(shared, 'upgradable', { timeout: 1000 })
  async #secret(): Promise<string[]> {
    return [this.held(shared), 'secret']
  }

  secret(): Promise<string[]> {
    return this.#secret()
  }

  held(lock: RWLock): string {
    return String(lock.inspect().holders[0]?.mode)
  }
}

class Derived extends Store {
  override async save(value: number): Promise<string[]> {
    return super.save(value + 1)
  }
}

const store = new Store()
const save = await store.save(1)
await Promise.all([store.save(2), store.save(3), store.save(4)])
const found = {
  save,
  load: await store.load(),
  open: await Store.open(),
  secret: await store.secret(),
  name: store.save.name,
  length: store.save.length,
  overlaps: store.overlaps,
  inherited: (await new Derived().save(1))[1],
}
process.send?.({ type: 'done', found })
process.disconnect()
