import './shared-memory/binding.js' // before any other: see there

export { type NewContent, updateFile, updateFileSync } from './file/any-file.js'
export type { Parsed } from './file/json.js'
export { readJSON, readJSONSync, updateJSON, updateJSONSync } from './file/json-file.js'
export { type ForFileOptions, forFile } from './file/lock.js'
export type { ReadJSONOptions, UpdateFileOptions, UpdateJSONOptions, UpdateOptions } from './file/options.js'
