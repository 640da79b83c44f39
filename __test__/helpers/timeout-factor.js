// How many times as long as on a real machine something may take: an emulator (scripts/cross.sh) translates every instruction.
export const PATIENCE = process.env.PROCESS_RWLOCK_EMULATOR ? 5 : 1
