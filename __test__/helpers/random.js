export { random, SEED } from '../../scripts/lib/random.js'
