// `nslab pull push login logout`. The name of the image is the answer and goes to standard output; progress to standard error.

import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { text as readText } from 'node:stream/consumers';
import { NslabError } from '../../base/error.ts';
import { assertRoot } from '../../lab/kernel.ts';
import { loginTo, logoutFrom, pullImage, pushImage, type RegistryRequest } from '../../lab/registry.ts';
import { transferDisplay } from '../output/transfer.ts';
import { visible } from '../output/visible.ts';

type Connection = { insecure: boolean; ca?: string; timeout?: number };
type Transfer = Connection & { image: string; quiet: boolean; json: boolean };

/** SIGINT and SIGTERM end what is going on; parts that can be gone on with stay. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  const interrupt = (): void => stop.abort();
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  return stop.signal;
}

function connectionOf({ insecure, ca, timeout }: Connection): RegistryRequest {
  return { insecure, ca, timeout, signal: stopSignal() };
}

export async function pull(args: Transfer & { platform?: string; mirror?: string[] }): Promise<void> {
  assertRoot('pull');
  const display = transferDisplay(args);
  try {
    const request = { ...connectionOf(args), mirrors: args.mirror, platform: args.platform };
    const pulled = await pullImage({ ...request, name: args.image, onEvent: display.event });
    display.done({ type: 'pulled', ...pulled }, pulled.isNew ? 'pulled' : 'is up to date');
  } finally {
    display.end();
  }
}

export async function push(args: Transfer): Promise<void> {
  assertRoot('push');
  const display = transferDisplay(args);
  try {
    const pushed = await pushImage({ ...connectionOf(args), name: args.image, onEvent: display.event });
    display.done({ type: 'pushed', ...pushed }, 'pushed');
  } finally {
    display.end();
  }
}

type Login = Connection & { registry: string; username?: string; passwordStdin: boolean };

export async function login(args: Login): Promise<void> {
  const { registry } = args;
  if (args.passwordStdin && args.username === undefined)
    throw new NslabError('USAGE', '--password-stdin needs --username');
  if (!args.passwordStdin && process.stdin.isTTY !== true)
    throw new NslabError('USAGE', 'there is no terminal to ask for the password', {
      hint: 'nslab login -u NAME --password-stdin < FILE',
    });
  const username = args.username ?? (await ask('name: ', true));
  const password = args.passwordStdin
    ? (await readText(process.stdin)).replace(/\r?\n$/, '')
    : await ask('password: ', false);
  if (username === '' || password === '') throw new NslabError('USAGE', 'a name and a password are needed');
  const kept = await loginTo(registry, { username, password }, connectionOf(args));
  process.stderr.write(`logged in; the password is kept in ${visible(kept)}\n`);
}

export async function logout({ registry }: { registry: string }): Promise<void> {
  const found = await logoutFrom(registry);
  process.stderr.write(found ? 'logged out\n' : `no password is kept for ${visible(registry)}\n`);
}

/** A line from the terminal; a secret one is not shown. */
async function ask(question: string, shown: boolean): Promise<string> {
  process.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({
    input: process.stdin,
    output: shown ? process.stderr : nowhere,
    terminal: true,
  });
  try {
    return await new Promise<string>((resolve, reject) => {
      lines.once('line', resolve);
      const stopped = (): void => reject(new NslabError('INTERRUPTED', 'login: interrupted'));
      lines.once('SIGINT', stopped).once('close', stopped);
    });
  } finally {
    lines.close();
    if (!shown) process.stderr.write('\n');
  }
}
