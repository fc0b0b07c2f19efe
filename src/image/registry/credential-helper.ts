// Credential helpers: programs docker-credential-NAME that keep passwords in a keychain. The verb is the argument, the question
// goes in on standard input, the answer is JSON on standard output (github.com/docker/docker-credential-helpers).

import { spawn } from 'node:child_process';
import { NslabError } from '../../base/error.ts';
import type { AuthEnvironment, Credentials } from './credentials.ts';

/** A keychain may ask its user first. */
const PATIENCE_MS = 60_000;
const MOST_BYTES = 1 << 20;
/** The user name by which a helper says that what it keeps is an identity token. */
const TOKEN_USER = '<token>';

/**
 * What the helper knows of a server; undefined when it knows nothing.
 * @throws NslabError REGISTRY_CREDENTIALS
 */
export async function askHelper(
  name: string,
  server: string,
  environment: AuthEnvironment,
): Promise<Credentials | undefined> {
  const { status, stdout } = await runHelper(name, 'get', { input: server, environment });
  if (status !== 0) {
    // The one failure that the protocol has words for; they come on standard output.
    if (/credentials not found/i.test(stdout)) return undefined;
    throw failed(name, `ended with status ${status} when asked for ${server}`);
  }
  const answer = parse(stdout);
  const { Username: username, Secret: secret } = answer ?? {};
  if (typeof username !== 'string' || typeof secret !== 'string')
    throw failed(name, 'did not answer with "Username" and "Secret"');
  if (username === '' && secret === '') return undefined;
  if (username === TOKEN_USER) return { kind: 'identityToken', token: secret };
  return { kind: 'password', username, password: secret };
}

/** Lets the helper keep a password. */
export async function storeInHelper(
  name: string,
  entry: { readonly server: string; readonly username: string; readonly password: string },
  environment: AuthEnvironment,
): Promise<void> {
  const { server, username, password } = entry;
  const input = JSON.stringify({ ServerURL: server, Username: username, Secret: password });
  const { status } = await runHelper(name, 'store', { input, environment });
  if (status !== 0) throw failed(name, `ended with status ${status} when it was to keep a password`);
}

/** Lets the helper forget; that it knew nothing is fine. */
export async function eraseFromHelper(
  name: string,
  server: string,
  environment: AuthEnvironment,
): Promise<void> {
  const { status, stdout } = await runHelper(name, 'erase', { input: server, environment });
  if (status !== 0 && !/credentials not found/i.test(stdout))
    throw failed(name, `ended with status ${status} when it was to forget ${server}`);
}

function failed(name: string, why: string): NslabError {
  return new NslabError('REGISTRY_CREDENTIALS', `the credential helper docker-credential-${name} ${why}`);
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

type Answer = { readonly status: number; readonly stdout: string };

async function runHelper(
  name: string,
  verb: 'get' | 'store' | 'erase',
  { input, environment }: { readonly input: string; readonly environment: AuthEnvironment },
): Promise<Answer> {
  // The name is a word of a file: it must not lead out of PATH.
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name))
    throw new NslabError('REGISTRY_CREDENTIALS', `${JSON.stringify(name)} is no name of a credential helper`);
  const child = spawn(`docker-credential-${name}`, [verb], {
    // What it says on standard error may be a secret.
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { ...environment },
  });
  // Not Node's option `timeout`, whose timer goes on when the program cannot be started, and keeps this process.
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
  return await new Promise<Answer>((resolve, reject) => {
    let stdout = '';
    child.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      const why = error.code === 'ENOENT' ? 'is not in PATH' : `cannot be run: ${error.code}`;
      reject(failed(name, why));
    });
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      if (stdout.length > MOST_BYTES) child.kill('SIGKILL');
    });
    // It may end before it has read the question.
    child.stdin.on('error', () => undefined).end(input);
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      if (status !== null) resolve({ status, stdout });
      else reject(failed(name, `was ended by ${signal}: it took longer than ${PATIENCE_MS / 1000} s`));
    });
  });
}
