// `nslab image VERB`: the commands of the store and their options. Declarations only, as in commands.ts.

import type { Argv, CommandModule } from 'yargs';
import { fileArgument } from './file-argument.ts';

type Run = (run: () => Promise<void>) => never;

const json = { type: 'boolean', default: false, describe: 'print JSON' } as const;
const platform = { type: 'string', describe: 'OS/ARCHITECTURE[/VARIANT]; this machine by default' } as const;

const image = (y: Argv) =>
  y.positional('image', { type: 'string', demandOption: true, describe: 'name or id of the image' });

const images = (y: Argv) =>
  y.positional('images', {
    type: 'string',
    array: true,
    demandOption: true,
    describe: 'names or ids of images',
  });

const load = (y: Argv) =>
  y
    .positional('input', {
      type: 'string',
      describe: 'archive or folder of an OCI layout; standard input by default',
      coerce: (file: string | undefined) => (file === undefined ? undefined : fileArgument(file)),
    })
    .option('input', { alias: 'i', type: 'string', describe: 'the same, as docker load has it' })
    .option('name', { type: 'string', describe: 'name for the image in it' })
    .option('platform', platform)
    .option('quiet', { alias: 'q', type: 'boolean', default: false, describe: 'no progress' })
    .example('$0 image load web.tar.gz', 'from docker save, podman save or skopeo copy');

const save = (y: Argv) =>
  images(y)
    .option('output', { alias: 'o', type: 'string', describe: 'file, or with --format oci a folder' })
    .option('format', {
      choices: ['docker', 'oci'] as const,
      default: 'docker',
      describe: 'who shall read it',
    })
    .example('$0 image save web -o web.tar', 'for docker load, podman load, skopeo')
    .example('$0 image save --format oci web -o web/', 'the folder of an OCI layout');

const importTar = (y: Argv) =>
  y
    .positional('input', {
      type: 'string',
      demandOption: true,
      describe: 'tar of files, - for standard input',
      coerce: fileArgument,
    })
    .positional('name', { type: 'string', demandOption: true, describe: 'name for the image' })
    .option('change', {
      alias: 'c',
      type: 'string',
      array: true,
      nargs: 1,
      default: [] as string[],
      describe: 'instruction of a Dockerfile: CMD, ENV, ...',
    })
    .option('message', { alias: 'm', type: 'string', describe: 'comment for the history' })
    .option('platform', platform)
    .example(`$0 image import root.tar.gz base -c 'CMD ["sh"]'`, 'an image of a root file system');

type Verb = readonly [words: string, describe: string, builder: (y: Argv) => Argv];

const verbs = [
  [
    'ls',
    'list images',
    (y: Argv) =>
      y
        .option('quiet', { alias: 'q', type: 'boolean', default: false, describe: 'ids only' })
        .option('json', json)
        .example('$0 image ls', 'names, ids and sizes'),
  ],
  ['load [input]', 'bring in images from an archive or an OCI layout', load],
  ['save <images..>', 'write images to an archive', save],
  ['import <input> <name>', 'make an image of a tar of files', importTar],
  [
    'build-base [name]',
    'make a small image of the busybox of this machine',
    (y: Argv) =>
      y
        .positional('name', { type: 'string', default: 'base', describe: 'name for the image' })
        .example('$0 image build-base', 'then nslab run --rm -it base'),
  ],
  [
    'tag <image> <name>',
    'give an image another name',
    (y: Argv) =>
      image(y)
        .positional('name', { type: 'string', demandOption: true, describe: 'the other name' })
        .example('$0 image tag base registry.lab:5000/base:1', 'before nslab push'),
  ],
  [
    'rm <images..>',
    'take images away',
    (y: Argv) =>
      images(y)
        .option('force', {
          alias: 'f',
          type: 'boolean',
          default: false,
          describe: 'the name also of one that a container runs on',
        })
        .example('$0 image rm web:mine', 'its layers go with the last image that has them'),
  ],
  [
    'history <image>',
    'tell of what steps an image was made',
    (y: Argv) => image(y).option('json', json).example('$0 image history web', 'the newest step first'),
  ],
  [
    'inspect <image>',
    'tell everything of an image, as JSON',
    (y: Argv) => image(y).example('$0 image inspect web', 'its settings, layers and digests'),
  ],
  [
    'prune',
    'remove what no image and no container needs',
    (y: Argv) =>
      y
        .option('all', {
          alias: 'a',
          type: 'boolean',
          default: false,
          describe: 'also images on which no container runs',
        })
        .option('json', json)
        .example('$0 image prune', 'layers and blobs that nobody has')
        .example('$0 image prune --all', 'and images that nobody runs'),
  ],
] as unknown as readonly Verb[];

export function imageCommand(choose: Run): CommandModule {
  return {
    command: 'image <verb>',
    aliases: ['images'],
    describe: 'work with the images that containers are made of',
    builder: (y) =>
      verbs
        .reduce(
          (argv, [command, describe, builder]) =>
            argv.command({
              command,
              describe,
              builder,
              handler: (args) =>
                choose(async () =>
                  (await import('./commands/image.ts')).run(command.split(' ', 1)[0] ?? '', args as never),
                ),
            }),
          y,
        )
        .demandCommand(1, 'a command is missing: nslab image ls, load, save, ...')
        .example('$0 image build-base', 'a small image, without any network')
        .example('$0 image ls', 'what is there'),
    handler: () => undefined,
  };
}
