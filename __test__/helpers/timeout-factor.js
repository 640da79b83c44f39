// Factor for the time limits of the tests: an emulator (npm run cross) translates every
// instruction.
export const timeoutFactor = process.env.PROCESS_RWLOCK_EMULATOR ? 5 : 1
