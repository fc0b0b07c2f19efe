// Instructions that change a config.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseChange } from '../../../src/image/change.ts';
import { applyChanges } from '../../../src/image/make.ts';

describe('--change', () => {
  it('has the instructions of a Dockerfile that change no file', () => {
    assert.deepEqual(
      applyChanges({ Env: ['A=old', 'B=2'], WorkingDir: '/srv' }, [
        'CMD ["a", "b c"]',
        'ENV A=new "C=x y"',
        'env D three words',
        'LABEL a=b',
        'EXPOSE 80 53/udp',
        'VOLUME ["/data"]',
        'USER web:adm',
        'WORKDIR sub',
        'STOPSIGNAL SIGINT',
        'HEALTHCHECK --interval=5s --retries=2 CMD wget -q localhost',
      ]),
      {
        Cmd: ['a', 'b c'],
        Env: ['A=new', 'B=2', 'C=x y', 'D=three words'],
        Labels: { a: 'b' },
        ExposedPorts: { '80/tcp': {}, '53/udp': {} },
        Volumes: { '/data': {} },
        User: 'web:adm',
        WorkingDir: '/srv/sub',
        StopSignal: 'SIGINT',
        Healthcheck: { Test: ['CMD-SHELL', 'wget -q localhost'], Interval: 5_000_000_000, Retries: 2 },
      },
    );
  });

  it('takes the command away with the entry point that it was for', () => {
    assert.deepEqual(applyChanges({ Cmd: ['x'] }, ['ENTRYPOINT run it']), {
      Entrypoint: ['/bin/sh', '-c', 'run it'],
    });
    assert.deepEqual(applyChanges({}, ['ENTRYPOINT ["a"]', 'CMD ["b"]']), { Entrypoint: ['a'], Cmd: ['b'] });
  });

  it('is refused where it is none', () => {
    for (const text of [
      '',
      'RUN make',
      'CMD',
      'CMD ["a"',
      'ENV',
      'ENV =x',
      'USER',
      'EXPOSE',
      'HEALTHCHECK --x=1 CMD y',
      'HEALTHCHECK',
    ])
      assert.ok(!parseChange(text).ok, text);
    assert.throws(() => applyChanges({}, ['RUN make']), {
      code: 'USAGE',
      message: /RUN make.* is none of CMD/,
    });
  });
});
