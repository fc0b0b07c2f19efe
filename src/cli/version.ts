// The version, as package.json has it; the bundle carries a copy.

import pack from '../../package.json' with { type: 'json' };

export const version: string = pack.version;
