// The man page of the command line, made from the descriptions of its commands.

/** @typedef {import('../dist/cli/command.js').Command} Command */

const ENVIRONMENT = {
  PROCESS_RWLOCK_DIR:
    'the directory of the named locks, an absolute path; every process that shares them needs the same',
  PROCESS_RWLOCK_TOKEN: 'set by exec for its command: the fencing token of the hold',
  PROCESS_RWLOCK_OWNER_DIED:
    'set by exec for its command: the process ID of a writer that died while it held the lock; unset if there is none',
  NO_COLOR: 'switches colours off',
}

/**
 * @param {readonly Command[]} commands
 * @param {(command: Command) => Record<string, import('../dist/cli/command.js').OptionDescription>} optionsOf
 * @param {Readonly<Record<string, string>>} exitCodes those that every command can have
 * @param {string} version
 */
export function manPage(commands, optionsOf, exitCodes, version) {
  const parts = [
    `.TH PROCESS\\-RWLOCK 1 "" "process\\-rwlock ${version}" "User Commands"`,
    section('NAME'),
    'process\\-rwlock \\- a reader\\-writer lock that every process of this machine can share',
    section('SYNOPSIS'),
    commands.map(({ usage }) => `.B process\\-rwlock\n${text(usage)}`).join('\n.br\n'),
    section('DESCRIPTION'),
    text(
      'The locks are those of the package process-rwlock for Node.js. A lock has a name, or is a file. Shell scripts and programs that use the same lock exclude each other.',
    ),
  ]
  for (const command of commands) parts.push(...partsOf(command, optionsOf(command)))
  parts.push(section('EXIT STATUS'), text('Besides those of the commands:'), ...listOf(exitCodes))
  parts.push(section('ENVIRONMENT'), ...listOf(ENVIRONMENT))
  parts.push(
    section('SEE ALSO'),
    '.BR flock (1)',
    '.PP',
    text('https://process-rwlock.github.io/process-rwlock/cli'),
  )
  return `${parts.join('\n')}\n`
}

/**
 * @param {Command} command
 * @param {Record<string, import('../dist/cli/command.js').OptionDescription>} options
 */
function partsOf({ name, usage, description, positionals, rest, examples, exitCodes }, options) {
  const parts = [section(name.toUpperCase()), `.B process\\-rwlock\n${text(usage)}`]
  for (const paragraph of description.split('\n\n')) parts.push('.PP', text(paragraph))
  for (const { name, description } of [...positionals, ...(rest ? [rest] : [])]) {
    parts.push(`.TP\n.I ${text(name)}\n${text(description)}`)
  }
  for (const [name, { short, value, type, description }] of Object.entries(options)) {
    const names = `${short ? `\\fB\\-${short}\\fR, ` : ''}\\fB\\-\\-${escaped(name)}\\fR`
    const argument = type === 'boolean' ? '' : ` \\fI${escaped(value ?? 'VALUE')}\\fR`
    parts.push(`.TP\n${names}${argument}\n${text(description)}`)
  }
  for (const { command, text: meaning } of examples) {
    parts.push(`.PP\n${text(meaning)}:\n.PP\n.RS 4\n.nf\n${text(command)}\n.fi\n.RE`)
  }
  if (exitCodes) {
    parts.push('.SS "Exit codes"', ...listOf(exitCodes))
  }
  return parts
}

/** @param {Readonly<Record<string, string>>} meanings */
const listOf = (meanings) =>
  Object.entries(meanings).map(([name, meaning]) => `.TP\n.B ${text(name)}\n${text(meaning)}`)

/** @param {string} title */
const section = (title) => `.SH "${escaped(title)}"`

/** A line that begins with a dot would be a request of roff. @param {string} line */
const text = (line) => escaped(line).replace(/^(?=\.)/, '\\&')

/** The quotes and the hyphen of a shell, for which roff has others. @param {string} line */
const escaped = (line) =>
  line
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga')
    .replace(/[^ -~]/gu, (character) => `\\[u${numberOf(character)}]`)

/** As roff names a character. */
const numberOf = (/** @type {string} */ character) =>
  character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')
