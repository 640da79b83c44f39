// Factor for the time limits of the tests: an emulator (scripts/cross.sh) translates every
// instruction.
export const timeoutFactor = process.env.PROCESS_RWLOCK_EMULATOR ? 5 : 1
