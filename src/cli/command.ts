// What a command of the CLI is. Help, man page and completion are made from it.

/** An option, by its long name. */
export interface OptionDescription {
  readonly type: 'string' | 'boolean'
  /** One letter. */
  readonly short?: string
  /** What stands for the value in the help, such as `FILE`. */
  readonly value?: string
  /** The values that can be given, if they are known. */
  readonly choices?: readonly string[]
  /** One sentence or phrase, in lower case, without a full stop. */
  readonly description: string
  /** May be given several times. */
  readonly multiple?: boolean
}

export type Options = Readonly<Record<string, OptionDescription>>

export interface PositionalDescription {
  readonly name: string
  readonly description: string
  readonly choices?: readonly string[]
  readonly optional?: boolean
  readonly multiple?: boolean
}

type ValueOf<Option extends OptionDescription> = Option extends { type: 'boolean' }
  ? boolean
  : Option extends { multiple: true }
    ? string[]
    : string

export type ValuesOf<O extends Options> = { readonly [Name in keyof O]?: ValueOf<O[Name]> | undefined }

/** One call of a command. */
export interface Invocation<O extends Options = Options> {
  readonly values: ValuesOf<O>
  readonly positionals: readonly string[]
  /** What follows `--`, if the command takes it: see {@link Command.rest}. */
  readonly rest: readonly string[] | undefined
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  readonly stderr: { write(text: string): void }
  readonly env: NodeJS.ProcessEnv
}

/**
 * A command. Its description must load nothing else: `run` requires what it needs when it is
 * called, because each module takes time when the program starts.
 */
export interface Command<O extends Options = Options> {
  readonly name: string
  /** One phrase for the list of commands. */
  readonly summary: string
  /** The arguments, such as `show NAME`. */
  readonly usage: string
  /** Paragraphs, separated by an empty line. */
  readonly description: string
  readonly options: O
  readonly positionals: readonly PositionalDescription[]
  /** What follows `--`, for a command that passes it on. Others take it as positionals. */
  readonly rest?: PositionalDescription
  readonly examples: readonly { readonly command: string; readonly text: string }[]
  /** Besides those that every command has: see `exit-codes.ts` and docs/cli.md. */
  readonly exitCodes?: Readonly<Record<string, string>>
  /** Returns the exit code. */
  run(invocation: Invocation<O>): Promise<number> | number
}

/** For commands that can print JSON. */
export const JSON_OPTION = {
  json: { type: 'boolean', description: 'print JSON, for programs' },
} as const satisfies Options
