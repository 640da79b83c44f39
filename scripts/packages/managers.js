// The package managers besides npm, and how to run a program in their projects.
import { programs } from './tools.js'

/**
 * @typedef {object} Manager
 * @property {string} name
 * @property {string} program
 * @property {string[]} add the command that adds a package
 * @property {(user: import('./user.js').User) => Record<string, string>} [settings] files, by name
 * @property {(file: string) => string[]} run the arguments of Node.js
 */

/** @type {Manager[]} */
export const managers = [
  { name: 'pnpm', program: programs.pnpm, add: ['add', '--ignore-scripts'], run: (file) => [file] },
  {
    name: 'Yarn',
    program: programs.yarn,
    add: ['add', '--ignore-scripts', '--no-progress'],
    run: (file) => [file],
  },
  {
    name: "Yarn Plug'n'Play",
    program: programs.yarnBerry,
    add: ['add'],
    settings: ({ registry }) => ({
      'yarn.lock': '', // marks the root of the project
      '.yarnrc.yml': [
        'nodeLinker: pnp',
        'enableScripts: false',
        'enableTelemetry: false',
        'enableGlobalCache: false',
        'enableImmutableInstalls: false',
        'npmMinimalAgeGate: 0', // Yarn would refuse a package that was published a moment ago
        `npmRegistryServer: ${registry}`,
        `unsafeHttpWhitelist: [${new URL(registry).hostname}]`,
      ].join('\n'),
    }),
    run: (file) => [programs.yarnBerry, 'node', file],
  },
]
